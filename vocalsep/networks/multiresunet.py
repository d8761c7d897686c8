"""U-Net of MultiRes blocks, with Res paths for skips.

N. Ibtehaz, M. S. Rahman: "MultiResUNet: Rethinking the U-Net Architecture for Multimodal Biomedical Image
Segmentation", Neural Networks 2020. Three stacked 3x3 convolutions have the receptive fields of kernels of 3, 5 and 7;
the outputs of all three are concatenated. A Res path adapts the encoder's maps to the decoder's, with more layers for
outer skips.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .block_unet import BlockUNet, convolution, normed
from .configs.multiresunet import SHARES, residual_units
from .shared import BatchNorm2d


class MultiResBlock(nn.Module):
    """Three stacked convolutions whose outputs are concatenated, and a shortcut.

    Attributes
    ----------
    out_channels : int
        Filters of the output.
    """

    def __init__(self, in_channels: int, filters: int, alpha: float):
        super().__init__()
        counts = [max(1, int(alpha * filters / share)) for share in SHARES]
        self.out_channels = sum(counts)
        self.layers = nn.ModuleList(
            normed(convolution(before, count), count)
            for before, count in zip([in_channels, *counts[:-1]], counts, strict=True)
        )
        self.kept = BatchNorm2d(self.out_channels)
        self.shortcut = nn.Sequential(convolution(in_channels, self.out_channels, 1), BatchNorm2d(self.out_channels))
        self.last = nn.Sequential(nn.ReLU(inplace=True), BatchNorm2d(self.out_channels))

    def forward(self, hidden: Tensor) -> Tensor:
        """Take (batch, in_channels, bins, frames), return (batch, out_channels, bins, frames)."""
        outputs: list[Tensor] = []
        for layer in self.layers:
            outputs.append(layer(outputs[-1] if outputs else hidden))
        result: Tensor = self.last(self.kept(torch.cat(outputs, dim=1)) + self.shortcut(hidden))
        return result


class ResPath(nn.Module):
    """Residual convolutions in a skip connection.

    Attributes
    ----------
    out_channels : int
        Filters of the output.
    """

    def __init__(self, in_channels: int, out_channels: int, units: int):
        super().__init__()
        self.out_channels = out_channels
        widths = [in_channels, *[out_channels] * units]
        self.paths = nn.ModuleList(
            nn.Sequential(convolution(widths[unit], out_channels), BatchNorm2d(out_channels)) for unit in range(units)
        )
        self.shortcuts = nn.ModuleList(
            nn.Sequential(convolution(widths[unit], out_channels, 1), BatchNorm2d(out_channels))
            for unit in range(units)
        )

    def forward(self, skipped: Tensor, hidden: Tensor) -> Tensor:
        """Return the skip with `out_channels` filters, (batch, out_channels, bins, frames)."""
        for path, shortcut in zip(self.paths, self.shortcuts, strict=True):
            skipped = torch.relu(path(skipped) + shortcut(skipped))
        return skipped


class MultiResUNet(BlockUNet):
    """Estimate masks with MultiRes blocks and Res paths."""

    def block(self, in_channels: int, out_channels: int, depth: int) -> nn.Module:
        """Return a MultiRes block."""
        return MultiResBlock(in_channels, out_channels, self.config.alpha)

    def skip(self, in_channels: int, gating: int, depth: int) -> nn.Module:
        """Return a Res path."""
        return ResPath(in_channels, gating, residual_units(depth, len(self.config.filters)))
