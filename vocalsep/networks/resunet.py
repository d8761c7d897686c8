"""U-Net of residual blocks.

Z. Zhang, Q. Liu, Y. Wang: "Road Extraction by Deep Residual U-Net", IEEE GRSL 2018; the units are those of K. He et
al.: "Identity Mappings in Deep Residual Networks", ECCV 2016: norm and activation before each convolution.
"""

from __future__ import annotations

from torch import Tensor, nn

from .block_unet import BlockUNet, convolution
from .shared import BatchNorm2d


class ResidualBlock(nn.Module):
    """Two convolutions with a residual connection."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.path = nn.Sequential(
            BatchNorm2d(in_channels),
            nn.ReLU(),
            convolution(in_channels, out_channels),
            BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            convolution(out_channels, out_channels),
        )
        self.shortcut = nn.Identity() if in_channels == out_channels else convolution(in_channels, out_channels, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """Take (batch, in_channels, bins, frames), return (batch, out_channels, bins, frames)."""
        result: Tensor = self.shortcut(hidden) + self.path(hidden)
        return result


class ResUNet(BlockUNet):
    """Estimate masks with residual blocks."""

    def block(self, in_channels: int, out_channels: int, depth: int) -> nn.Module:
        """Return a residual block."""
        return ResidualBlock(in_channels, out_channels)
