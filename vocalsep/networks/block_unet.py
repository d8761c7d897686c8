"""The U-Net that all block networks are built on: each defines its own block, or its own skip connection.

The first layer halves bins and frames by a strided convolution, as in Jansson's U-Net, so that all blocks work at half
the resolution or less, where they cost less. Max-pooling downsamples between blocks, transposed convolutions upsample.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from . import heads
from .configs import MaskConfig
from .configs.block_unet import STEM_KERNEL, STEM_PADDING
from .level import EPSILON, local_level
from .network import MaskNetwork
from .shared import BatchNorm2d


class BlockUNet(MaskNetwork):
    """A U-Net of blocks.

    Subclasses define the block (`block`) and, unless skips are concatenated unchanged, the skip connections (`skip` and
    `joined`).
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
            skipped = _out_channels(skips[-1], out_channels[depth])
            decoder.append(self.block(self.joined_filters(filters[depth], skipped), filters[depth], depth))
        self.up, self.skips, self.decoder = nn.ModuleList(up), nn.ModuleList(skips), nn.ModuleList(decoder)
        last = _out_channels(decoder[-1], filters[0]) if decoder else out_channels[-1]
        self.head = nn.ConvTranspose2d(last, config.channels, STEM_KERNEL, stride=2, padding=STEM_PADDING)

    def block(self, in_channels: int, out_channels: int, depth: int) -> nn.Module:
        """Return a block; if its output has another number of filters, its attribute `out_channels` says how many."""
        raise NotImplementedError

    def skip(self, in_channels: int, gating: int, depth: int) -> nn.Module:
        """Return the module of a skip connection, called with the maps of encoder and decoder (`gating` filters)."""
        return IdentitySkip()

    def joined(self, hidden: Tensor, skipped: Tensor) -> Tensor:
        """Combine the maps of decoder and skip, both (batch, filters, bins, frames)."""
        return torch.cat([hidden, skipped], dim=1)

    def joined_filters(self, hidden: int, skipped: int) -> int:
        """Return the number of filters of the output of `joined`."""
        return hidden + skipped

    def forward(self, magnitude: Tensor) -> Tensor:
        """Return masks of the shape of `magnitude`, the mixture's (batch, channels, bins, frames).

        Bins and frames are multiples of ``config.stride``.
        """
        level = local_level(magnitude, self.config.level_frames)
        hidden = self.stem((magnitude / (level + EPSILON)) ** self.config.compression)
        skips: list[Tensor] = []
        for depth, block in enumerate(self.encoder):
            hidden = block(self.pool(hidden) if depth else hidden)
            skips.append(hidden)
        skips.pop()
        for up, connection, block in zip(self.up, self.skips, self.decoder, strict=True):
            hidden = up(hidden)
            hidden = block(self.joined(hidden, connection(skips.pop(), hidden)))
        return heads.masks(self.head(hidden), magnitude, level, self.config.head, self.training)


class IdentitySkip(nn.Module):
    """A skip connection that returns the encoder's maps unchanged."""

    def forward(self, skipped: Tensor, hidden: Tensor) -> Tensor:
        """Return the skip, (batch, filters, bins, frames)."""
        return skipped


def normed(convolution: nn.Module, filters: int) -> nn.Sequential:
    """Return a convolution followed by batch norm and ReLU."""
    return nn.Sequential(convolution, BatchNorm2d(filters), nn.ReLU(inplace=True))


def convolution(in_channels: int, out_channels: int, kernel: int = 3) -> nn.Conv2d:
    """Return a convolution that keeps bins and frames, without bias, because a batch norm precedes or follows it."""
    return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)


def _out_channels(module: nn.Module, default: int) -> int:
    return int(getattr(module, "out_channels", default))
