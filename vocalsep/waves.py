"""A waveform model at work on a stream: tiles of samples with all that the network hears around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .channels import from_network, to_network

if TYPE_CHECKING:
    from .networks.network import WaveNetwork


class WaveStream:
    """Vocals of one channel or one stereo pair at the model's rate, block by block.

    Tiles follow each other from the song's start. The last one is shifted back, so that it ends where the song ends
    (Stoller et al., ISMIR 2018), and gives only what no tile before it has given. Around the song there is silence.

    Parameters
    ----------
    network : WaveNetwork
    channels : int
        1 or 2.
    device : torch.device
        Where the network runs.
    """

    def __init__(self, network: WaveNetwork, channels: int, device: torch.device):
        self.network = network
        self.channels = channels
        self.device = device
        self.tile = int(network.config.tile)
        self.heard = network.config.samples_heard(self.tile)
        self.reach = int(network.config.reach)
        self._held = torch.zeros(channels, 0)
        self._first = 0  # place in the song of the first sample held
        self._given = 0

    @torch.inference_mode()
    def push(self, samples: Tensor) -> Tensor:
        """Take mixture samples (channels, samples), float32; return the vocals' samples that are ready."""
        self._held = torch.cat([self._held, samples], dim=1)
        out = []
        while self._end() >= self._given - self.reach + self.heard:
            out.append(self._tile(self._given))
            self._given += self.tile
            self._forget()
        return torch.cat(out, dim=1) if out else torch.zeros(self.channels, 0)

    @torch.inference_mode()
    def flush(self) -> Tensor:
        """Return the vocals' last samples: all together are as many as the mixture's."""
        out = [torch.zeros(self.channels, 0)]
        end = self._end()
        while end - self._given >= self.tile:
            out.append(self._tile(self._given))
            self._given += self.tile
        rest = end - self._given
        if rest:
            start = max(0, end - self.tile)
            out.append(self._tile(start)[:, self._given - start : end - start])
            self._given = end
        return torch.cat(out, dim=1)

    def _end(self) -> int:
        return self._first + self._held.shape[1]

    def _tile(self, start: int) -> Tensor:
        """Return the vocals from a place in the song on, one tile of them."""
        first, last = start - self.reach, start - self.reach + self.heard
        known = self._held[:, max(0, first - self._first) : max(0, last - self._first)]
        before = max(0, self._first - first)
        mixture = torch.nn.functional.pad(known, (before, self.heard - before - known.shape[1]))
        estimates = self.network(to_network(mixture, self.network.config.channels).to(self.device))
        vocals = estimates[:, : self.network.config.channels].cpu()
        return from_network(vocals, self.channels)[:, : self.tile]

    def _forget(self) -> None:
        """Drop what neither the next tile nor a last one, shifted back, will hear."""
        kept = max(self._first, self._given - self.tile - self.reach)
        self._held, self._first = self._held[:, kept - self._first :].clone(), kept
