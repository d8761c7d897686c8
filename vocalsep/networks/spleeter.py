"""Spleeter's variant of the Deep U-Net, as one direct mask.

R. Hennequin, A. Khlif, F. Voituret, M. Moussallam: "Spleeter: a fast and efficient music source separation tool with
pre-trained models", JOSS 2020. The skips leave before the normalisation, the decoder normalises after its activation,
and a dilated layer makes the masks of all channels from a single map.

TensorFlow pads strided layers by one more at the end than at the start, PyTorch the other way round. Seen from the far
end both are the same: the network hears the spectrogram turned round in time and frequency, and its kernels are those
of Spleeter turned round too. That costs nothing, where padding and cropping every layer takes twice the time.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from ..checks import number, whole_number
from .configs import LONGEST_LEVEL, NetworkConfig, check_filters
from .level import relative_level
from .network import MaskNetwork
from .receptive_field import Down, Same, Step, Up, context
from .shared import BatchNorm2d, Dropout

DROPOUT_LAYERS = 3
KERNEL = 5
# Frames to either side that the dilated last layer hears.
HEAD_REACH = 3


@dataclasses.dataclass(frozen=True)
class SpleeterConfig(NetworkConfig):
    """Spleeter's variant of the Deep U-Net (Hennequin et al., "Spleeter", JOSS 2020): it can hold Spleeter's weights.

    Parameters
    ----------
    channels : int
        Audio channels that go in and masks that come out.
    filters : tuple of int
        Filters of each encoder layer; every layer halves bins and frames.
    dropout : float
        Share of values dropped after the first three decoder layers while training.
    level_frames : int
        The magnitudes are divided by their root mean square over this many frames to either side, so that a quiet
        song is masked like a loud one; 0 leaves them as they are.
    level : float
        Factor after that division: the level of the magnitudes that the weights were trained on.
    """

    filters: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    dropout: float = 0.5
    level_frames: int = 0
    level: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "filters", tuple(self.filters))
        check_filters(self.filters, 2)
        whole_number("level_frames", self.level_frames, 0, LONGEST_LEVEL)
        number("dropout", self.dropout, 0, 0.99)
        number("level", self.level, 1e-6, 1e6)

    @property
    def stride(self) -> int:
        """Bins and frames per step of the deepest layer; inputs are multiples of it."""
        return int(2 ** len(self.filters))

    @property
    def context(self) -> int:
        """Frames to either side that can change a frame's mask, for the worst place on the sampling grid."""
        return self.reach + self.level_frames

    @property
    def reach(self) -> int:
        """Of the context, what the layers hear; beyond it only the level is heard."""
        depth = len(self.filters)
        steps: list[Step] = [Same(HEAD_REACH), *[Up(KERNEL, 1)] * depth, *[Down(KERNEL, 1)] * depth]
        return context(steps, self.stride)


class SpleeterUNet(MaskNetwork):
    """Estimate the vocals' share of each bin of a mixture; holds the weights of one of Spleeter's networks."""

    Config = SpleeterConfig

    def __init__(self, config: SpleeterConfig):
        super().__init__()
        self.config: SpleeterConfig = config
        self._reach = config.reach
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
        """Return the masks of some frames, see `MaskNetwork.masks_between`; the decoder works on little else."""
        frames = magnitude.shape[3]
        start, stop = frames - stop, frames - start
        hidden = magnitude.flip(2, 3)
        if self.config.level_frames:
            hidden = relative_level(hidden, self.config.level_frames).mul_(self.config.level)
        first, last = input_span(start, stop, frames, self._reach, self.config.stride)
        hidden = _between(hidden, first, last)
        start, stop, frames = start - first, stop - first, last - first
        skips: list[Tensor] = []
        for depth, layer in enumerate(self.encoder):
            skips.append(layer(hidden))
            if depth < len(self.activations):
                hidden = self.activations[depth](skips[-1])
        hidden = skips.pop()
        spans = decoder_spans(start, stop, frames, len(self.encoder))
        at = 0
        for layer, norm, (first, last) in zip(self.decoder, self.norms, spans, strict=True):
            hidden = norm(layer(_between(hidden, first - at, last - at)))
            at = 2 * first
            if skips:
                hidden = torch.cat([_between(skips.pop(), at, 2 * last), hidden], dim=1)
        masks = torch.sigmoid(self.head(hidden))
        return _between(masks, start - at, stop - at).flip(2, 3)


def input_span(start: int, stop: int, frames: int, reach: int, stride: int) -> tuple[int, int]:
    """Return the frames that layers which hear `reach` frames to either side need for masks from `start` to `stop`.

    Both ends are on the sampling grid of `stride` frames, as `frames` is.
    """
    first = torch.sym_max(0, start - reach) // stride * stride
    last = torch.sym_min(frames, (stop + reach + stride - 1) // stride * stride)
    return first, last


def decoder_spans(start: int, stop: int, frames: int, depth: int) -> list[tuple[int, int]]:
    """Return which frames each decoder layer, the deepest first, has to be given for masks from `start` to `stop`.

    Parameters
    ----------
    start, stop : int
        In frames of the masks, counted from the network's own end.
    frames : int
        How many there are, a multiple of ``2 ** depth``.
    depth : int
        Number of layers.
    """
    # Numbers that are known only when an exported graph runs have to stay what they are: no min, no max, no shifts.
    first, last = torch.sym_max(0, start - HEAD_REACH), torch.sym_min(frames, stop + HEAD_REACH)
    spans = []
    for layer in range(1, depth + 1):
        # Frame t of the finer side is made of the coarser frames from t / 2 - 1 to t / 2 + 1.
        first, last = torch.sym_max(0, (first - 1) // 2), torch.sym_min(frames // 2**layer, (last + 1) // 2 + 1)
        spans.append((first, last))
    return spans[::-1]


def _between(hidden: Tensor, first: int, last: int) -> Tensor:
    """Return the frames from `first` to before `last`, all of which there are."""
    part = hidden[..., first:last]
    # An exporter cannot know that nothing is cut short.
    torch._check(part.shape[3] == last - first)
    return part


def _norm(filters: int) -> BatchNorm2d:
    return BatchNorm2d(filters, eps=1e-3, momentum=0.01)
