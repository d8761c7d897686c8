"""Spleeter's variant of the Deep U-Net, as a direct estimator of masks.

R. Hennequin, A. Khlif, F. Voituret, M. Moussallam: "Spleeter: a fast and efficient music source separation tool with
pre-trained models", JOSS 2020. Skips are taken before the normalisation, the decoder normalises after its activation,
and a dilated layer computes the masks of all channels from a single map.

TensorFlow pads strided layers by one more at the end than at the start, PyTorch the other way round. So the network
takes the spectrogram reversed in time and frequency, and its kernels are those of Spleeter reversed too. That costs
nothing, whereas padding and cropping every layer would double the time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .configs.spleeter import HEAD_CONTEXT, KERNEL, SpleeterConfig
from .level import relative_level
from .network import MaskNetwork
from .shared import BatchNorm2d, Dropout

DROPOUT_LAYERS = 3


class SpleeterUNet(MaskNetwork):
    """Estimate the vocals' share of each bin of a mixture; holds the weights of one of Spleeter's networks."""

    def __init__(self, config: SpleeterConfig):
        super().__init__()
        self.config: SpleeterConfig = config
        self._layer_context = config.layer_context
        wide = (config.channels, *config.filters)
        depth = len(config.filters)
        self.encoder = nn.ModuleList(nn.Conv2d(wide[i], wide[i + 1], KERNEL, stride=2, padding=2) for i in range(depth))
        self.activations = nn.ModuleList(
            nn.Sequential(_norm(wide[i + 1]), nn.LeakyReLU(0.2, inplace=True)) for i in range(depth - 1)
        )
        out_channels = (*wide[depth - 1 : 0 : -1], 1)
        in_channels = (wide[depth], *(2 * filters for filters in out_channels[:-1]))
        self.decoder = nn.ModuleList(
            nn.ConvTranspose2d(in_channels[i], out_channels[i], KERNEL, stride=2, padding=2, output_padding=1)
            for i in range(depth)
        )
        self.norms = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(inplace=True),
                _norm(out_channels[i]),
                Dropout(config.dropout if i < DROPOUT_LAYERS else 0.0, whole_maps=False),
            )
            for i in range(depth)
        )
        self.head = nn.Conv2d(1, config.channels, 4, dilation=2, padding=3)

    def forward(self, magnitude: Tensor) -> Tensor:
        """Return masks in 0..1 of the shape of `magnitude`, (batch, channels, bins, frames).

        Bins and frames are multiples of ``config.stride``.
        """
        return self.masks_between(magnitude, 0, magnitude.shape[3])

    def masks_between(self, magnitude: Tensor, start: int, stop: int) -> Tensor:
        """Return the masks of some frames, see `MaskNetwork.masks_between`; the decoder computes little else."""
        frames = magnitude.shape[3]
        start, stop = frames - stop, frames - start
        hidden = magnitude.flip(2, 3)
        if self.config.level_frames:
            hidden = relative_level(hidden, self.config.level_frames).mul_(self.config.level)
        first, last = input_span(start, stop, frames, self._layer_context, self.config.stride)
        hidden = _between(hidden, first, last)
        start, stop, frames = start - first, stop - first, last - first
        skips: list[Tensor] = []
        for depth, layer in enumerate(self.encoder):
            skips.append(layer(hidden))
            if depth < len(self.activations):
                hidden = self.activations[depth](skips[-1])
        hidden = skips.pop()
        spans = decoder_spans(start, stop, frames, len(self.encoder))
        offset = 0
        for layer, norm, (first, last) in zip(self.decoder, self.norms, spans, strict=True):
            hidden = norm(layer(_between(hidden, first - offset, last - offset)))
            offset = 2 * first
            if skips:
                hidden = torch.cat([_between(skips.pop(), offset, 2 * last), hidden], dim=1)
        masks = torch.sigmoid(self.head(hidden))
        return _between(masks, start - offset, stop - offset).flip(2, 3)


def input_span(start: int, stop: int, frames: int, context: int, stride: int) -> tuple[int, int]:
    """Return the first and last frame that layers need for masks from `start` to `stop`.

    `context` is their receptive field in frames to either side. Both ends are multiples of `stride`, as `frames` is.
    """
    first = torch.sym_max(0, start - context) // stride * stride
    last = torch.sym_min(frames, (stop + context + stride - 1) // stride * stride)
    return first, last


def decoder_spans(start: int, stop: int, frames: int, depth: int) -> list[tuple[int, int]]:
    """Return the first and last input frame of each decoder layer, the deepest first, for masks from `start` to `stop`.

    Parameters
    ----------
    start, stop : int
        In frames of the masks, in the reversed order of the network.
    frames : int
        Number of frames, a multiple of ``2 ** depth``.
    depth : int
        Number of layers.
    """
    # In an exported graph these are symbols: Python's min and max, and shifts, do not work on them.
    first, last = torch.sym_max(0, start - HEAD_CONTEXT), torch.sym_min(frames, stop + HEAD_CONTEXT)
    spans = []
    for layer in range(1, depth + 1):
        # Frame t of the finer resolution depends on the coarser frames from t / 2 - 1 to t / 2 + 1.
        first, last = torch.sym_max(0, (first - 1) // 2), torch.sym_min(frames // 2**layer, (last + 1) // 2 + 1)
        spans.append((first, last))
    return spans[::-1]


def _between(hidden: Tensor, first: int, last: int) -> Tensor:
    """Return the frames from `first` up to `last`, all of which exist."""
    part = hidden[..., first:last]
    # The exporter cannot know that the slice has its full length.
    torch._check(part.shape[3] == last - first)
    return part


def _norm(filters: int) -> BatchNorm2d:
    return BatchNorm2d(filters, eps=1e-3, momentum=0.01)
