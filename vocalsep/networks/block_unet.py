"""The U-Net that the block networks share: each gives it another block, or another way for the skips to go.

The first layer halves bins and frames by a strided convolution, as Jansson's does, so that all blocks work below the
full resolution, where they are affordable. Between blocks, max-pooling leads down and transposed convolutions up.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from . import heads
from .configs import MaskConfig
from .level import SILENCE, local_level
from .network import MaskNetwork
from .receptive_field import Down, Same, Step, Up, context
from .shared import BatchNorm2d

STEM_KERNEL, STEM_PADDING = 4, 1


class BlockUNet(MaskNetwork):
    """A U-Net of blocks.

    Its subclasses say what a block is (`block`) and, where that is not plain concatenation, what becomes of the skips
    (`skip` and `joined`).
    """

    def __init__(self, config: MaskConfig):
        super().__init__()
        self.config = config
        filters = config.filters
        self.stem = nn.Conv2d(config.channels, filters[0], STEM_KERNEL, stride=2, padding=STEM_PADDING)
        out_channels: list[int] = []
        encoder: list[nn.Module] = []
        for depth, count in enumerate(filters):
            encoder.append(self.block(out_channels[-1] if out_channels else filters[0], count, depth))
            out_channels.append(_out_channels(encoder[-1], count))
        self.encoder = nn.ModuleList(encoder)
        self.pool = nn.MaxPool2d(2)
        up: list[nn.Module] = []
        skips: list[nn.Module] = []
        decoder: list[nn.Module] = []
        for depth in range(len(filters) - 2, -1, -1):
            below = out_channels[-1] if not decoder else _out_channels(decoder[-1], filters[depth + 1])
            up.append(nn.ConvTranspose2d(below, filters[depth], 2, stride=2))
            skips.append(self.skip(out_channels[depth], filters[depth], depth))
            arriving = _out_channels(skips[-1], out_channels[depth])
            decoder.append(self.block(self.joined_filters(filters[depth], arriving), filters[depth], depth))
        self.up, self.skips, self.decoder = nn.ModuleList(up), nn.ModuleList(skips), nn.ModuleList(decoder)
        last = _out_channels(decoder[-1], filters[0]) if decoder else out_channels[-1]
        self.head = nn.ConvTranspose2d(last, config.channels, STEM_KERNEL, stride=2, padding=STEM_PADDING)

    def block(self, in_channels: int, out_channels: int, depth: int) -> nn.Module:
        """Return a block; one that leaves another number of filters than asked for says so by `out_channels`."""
        raise NotImplementedError

    def skip(self, in_channels: int, gating: int, depth: int) -> nn.Module:
        """Return what a skip passes through: called with itself and with the decoder's maps (`gating` filters)."""
        return Passed()

    def joined(self, hidden: Tensor, skipped: Tensor) -> Tensor:
        """Return decoder and skip, both (batch, filters, bins, frames), as one."""
        return torch.cat([hidden, skipped], dim=1)

    def joined_filters(self, hidden: int, skipped: int) -> int:
        """Return how many filters `joined` makes of those of both."""
        return hidden + skipped

    def forward(self, heard: Tensor) -> Tensor:
        """Return masks of the shape of `heard`, the mixture's magnitudes (batch, channels, bins, frames).

        Bins and frames are multiples of ``config.stride``.
        """
        level = local_level(heard, self.config.level_frames)
        hidden = self.stem((heard / (level + SILENCE)) ** self.config.compression)
        held: list[Tensor] = []
        for depth, block in enumerate(self.encoder):
            hidden = block(self.pool(hidden) if depth else hidden)
            held.append(hidden)
        held.pop()
        for up, skip, block in zip(self.up, self.skips, self.decoder, strict=True):
            hidden = up(hidden)
            hidden = block(self.joined(hidden, skip(held.pop(), hidden)))
        return heads.masks(self.head(hidden), heard, level, self.config.head, self.training)


class Passed(nn.Module):
    """A skip that goes through as it is."""

    def forward(self, skipped: Tensor, hidden: Tensor) -> Tensor:
        """Return the skip, (batch, filters, bins, frames)."""
        return skipped


def block_context(config: MaskConfig, block_reach: int, skip_reaches: Sequence[int] = ()) -> int:
    """Return the frames to either side that a `BlockUNet` hears.

    Parameters
    ----------
    config : MaskConfig
    block_reach : int
        Frames of its own resolution that a block hears to either side.
    skip_reaches : sequence of int
        The same of each skip, where that is more than nothing, the outermost first.
    """
    block = Same(block_reach)
    paths = []
    for depth in range(len(config.filters)):
        # A path goes down to some depth, crosses over there along the skip, and comes up. The deepest has no skip.
        crossing = [block, Same(_at(skip_reaches, depth))] if depth < len(config.filters) - 1 else []
        steps: list[Step] = [Up(STEM_KERNEL, STEM_PADDING), *[block, Up(2, 0)] * depth, *crossing]
        steps += [block, *[Down(2, 0), block] * depth, Down(STEM_KERNEL, STEM_PADDING)]
        paths.append(context(steps, config.stride))
    return max(paths) + config.level_frames


def normed(convolution: nn.Module, filters: int) -> nn.Sequential:
    """A convolution with batch norm and ReLU behind it."""
    return nn.Sequential(convolution, BatchNorm2d(filters), nn.ReLU(inplace=True))


def convolution(in_channels: int, out_channels: int, kernel: int = 3) -> nn.Conv2d:
    """A convolution that keeps bins and frames, without bias, as a batch norm follows or goes before."""
    return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)


def _out_channels(module: nn.Module, asked: int) -> int:
    return int(getattr(module, "out_channels", asked))


def _at(reaches: Sequence[int], place: int) -> int:
    return reaches[place] if place < len(reaches) else 0
