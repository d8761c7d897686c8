"""U-Net with attention gates on its skips.

O. Oktay et al.: "Attention U-Net: Learning Where to Look for the Pancreas", MIDL 2018.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .block_unet import BlockUNet, convolution, normed
from .shared import BatchNorm2d


class AttentionGate(nn.Module):
    """Weights each bin and frame of a skip connection by how relevant it is to the decoder's maps."""

    def __init__(self, in_channels: int, gating: int):
        super().__init__()
        between = max(1, gating // 2)
        self.skipped = nn.Sequential(convolution(in_channels, between, 1), BatchNorm2d(between))
        self.gate = nn.Sequential(convolution(gating, between, 1), BatchNorm2d(between))
        self.weight = nn.Sequential(convolution(between, 1, 1), BatchNorm2d(1), nn.Sigmoid())

    def forward(self, skipped: Tensor, hidden: Tensor) -> Tensor:
        """Return the skip's maps, each bin and frame times its weight in 0..1."""
        weighted: Tensor = skipped * self.weight(torch.relu(self.skipped(skipped) + self.gate(hidden)))
        return weighted


class AttentionUNet(BlockUNet):
    """Estimate masks with plain blocks of two convolutions and attention gates."""

    def block(self, in_channels: int, out_channels: int, depth: int) -> nn.Module:
        """Return two convolutions."""
        return nn.Sequential(
            normed(convolution(in_channels, out_channels), out_channels),
            normed(convolution(out_channels, out_channels), out_channels),
        )

    def skip(self, in_channels: int, gating: int, depth: int) -> nn.Module:
        """Return an attention gate."""
        return AttentionGate(in_channels, gating)
