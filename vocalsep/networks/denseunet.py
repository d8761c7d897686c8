"""U-Net of dense blocks.

S. Guan, A. Khan, S. Sikdar, P. Chitnis: "Fully Dense UNet for 2-D Sparse Photoacoustic Tomography Artifact Removal",
IEEE JBHI 2020, with the blocks of G. Huang et al.: "Densely Connected Convolutional Networks", CVPR 2017. A 1x1
transition reduces the output of each block to the width of its level.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .block_unet import BlockUNet, convolution, normed
from .shared import BatchNorm2d


class DenseBlock(nn.Module):
    """Convolutions, each of which takes the maps of all previous ones."""

    def __init__(self, in_channels: int, out_channels: int, layers: int):
        super().__init__()
        growth = -(-out_channels // layers)
        self.layers = nn.ModuleList(
            nn.Sequential(
                BatchNorm2d(in_channels + layer * growth),
                nn.ReLU(),
                convolution(in_channels + layer * growth, growth),
            )
            for layer in range(layers)
        )
        self.transition = normed(convolution(in_channels + layers * growth, out_channels, 1), out_channels)

    def forward(self, hidden: Tensor) -> Tensor:
        """Take (batch, in_channels, bins, frames), return (batch, out_channels, bins, frames)."""
        for layer in self.layers:
            hidden = torch.cat([hidden, layer(hidden)], dim=1)
        result: Tensor = self.transition(hidden)
        return result


class DenseUNet(BlockUNet):
    """Estimate masks with dense blocks."""

    def block(self, in_channels: int, out_channels: int, depth: int) -> nn.Module:
        """Return a dense block."""
        return DenseBlock(in_channels, out_channels, self.config.layers)
