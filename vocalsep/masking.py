"""The model at work on a stream: STFT, mask times mixture, inverse STFT with the mixture's phase."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .channels import from_network, to_network
from .chunking import Chunk, Chunker
from .config import FrontEndConfig
from .stft import InverseStft, Stft

if TYPE_CHECKING:
    from .networks.network import MaskNetwork

# Frames that are transformed at a time, so that windowed copies stay small.
STFT_FRAMES = 256
# The mask above the model's band is the mean of this share of its topmost bins.
TOP_SHARE = 8
# Of a hard mask: where the vocals are the larger part.
THRESHOLD = 0.5


class MaskStream:
    """Vocals of one channel or one stereo pair at the model's rate, block by block.

    Parameters
    ----------
    network : MaskNetwork
    front_end : FrontEndConfig
    channels : int
        1 or 2.
    core, context : int
        Frames of each chunk and around it, see `Chunker`.
    device : torch.device
        Where the network runs.
    hard : bool
        Each bin belongs to the vocals or to the accompaniment as a whole, as UNet-VocalSeparation-Chainer offers it.
    """

    def __init__(
        self,
        network: MaskNetwork,
        front_end: FrontEndConfig,
        channels: int,
        core: int,
        context: int,
        device: torch.device,
        hard: bool = False,
    ):
        self.network = network
        self.front_end = front_end
        self.hard = hard
        self.channels = channels
        self.device = device
        self._stft = Stft(front_end, channels)
        self._inverse = InverseStft(front_end, channels)
        self._chunker = Chunker(core, context, network.config.stride)
        self._heard = 0
        self._given = 0

    @torch.inference_mode()
    def push(self, samples: Tensor) -> Tensor:
        """Take mixture samples (channels, samples), float32; return the vocals' samples that are ready."""
        self._heard += samples.shape[1]
        out = []
        for part in samples.split(STFT_FRAMES * self.front_end.hop, dim=1):
            for chunk in self._chunker.push(self._stft.push(part)):
                out += self._vocals(chunk)
        return self._collect(out)

    @torch.inference_mode()
    def flush(self) -> Tensor:
        """Return the vocals' last samples: all together are as many as the mixture's."""
        out = []
        for chunks in (self._chunker.push(self._stft.flush()), self._chunker.flush()):
            for chunk in chunks:
                out += self._vocals(chunk)
        rest = self._collect(out)
        return rest[:, : rest.shape[1] - max(0, self._given - self._heard)]

    def _collect(self, out: list[Tensor]) -> Tensor:
        vocals = torch.cat(out, dim=1) if out else torch.zeros(self.channels, 0)
        self._given += vocals.shape[1]
        return vocals

    def _vocals(self, chunk: Chunk) -> list[Tensor]:
        mask = self._mask(chunk)
        core = chunk.spectrum[:, :, chunk.start : chunk.stop]
        steps = range(0, core.shape[2], STFT_FRAMES)
        return [
            self._inverse.push(core[:, :, at : at + STFT_FRAMES] * mask[:, :, at : at + STFT_FRAMES]) for at in steps
        ]

    def _mask(self, chunk: Chunk) -> Tensor:
        spectrum = to_network(chunk.spectrum, self.network.config.channels).to(self.device)
        heard = self.network.hear(spectrum, self.front_end.bins)
        masks = self.network.masks_between(heard, chunk.start, chunk.stop).cpu()
        mask = extend_mask(from_network(masks, self.channels), self.front_end.all_bins)
        return (mask > THRESHOLD).to(mask.dtype) if self.hard else mask


def extend_mask(mask: Tensor, all_bins: int) -> Tensor:
    """Continue a mask (..., bins, frames) above the model's band with the mean of its top bins, frame by frame."""
    bins = mask.shape[-2]
    if bins == all_bins:
        return mask
    top = mask[..., -max(1, bins // TOP_SHARE) :, :].mean(dim=-2, keepdim=True)
    return torch.cat([mask, top.expand(*mask.shape[:-2], all_bins - bins, -1)], dim=-2)
