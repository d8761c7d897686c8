"""U-Net of time-frequency convolutions and fully connected layers over frequency.

W. Choi, M. Kim, J. Chung, D. Lee, S. Jung: "Investigating U-Nets with various intermediate blocks for
spectrogram-based singing voice separation", ISMIR 2020; multiplied skips as in M. Kim et al.: "KUIELab-MDX-Net", MDX
workshop 2021. The fully connected layers see all bins at once: harmonics together with their fundamental.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .block_unet import BlockUNet, convolution, normed
from .shared import BatchNorm2d


class TfcTdfBlock(nn.Module):
    """Convolutions, plus two fully connected layers over frequency, whose output is added to theirs."""

    def __init__(self, in_channels: int, out_channels: int, bins: int, layers: int, bottleneck: int):
        super().__init__()
        self.convolutions = nn.Sequential(
            *(
                normed(convolution(out_channels if layer else in_channels, out_channels), out_channels)
                for layer in range(layers)
            )
        )
        between = max(1, bins // bottleneck)
        self.narrow = nn.Linear(bins, between, bias=False)
        self.narrowed = nn.Sequential(BatchNorm2d(out_channels), nn.ReLU(inplace=True))
        self.widen = nn.Linear(between, bins, bias=False)
        self.widened = nn.Sequential(BatchNorm2d(out_channels), nn.ReLU(inplace=True))

    def forward(self, hidden: Tensor) -> Tensor:
        """Take (batch, in_channels, bins, frames), return (batch, out_channels, bins, frames)."""
        local: Tensor = self.convolutions(hidden)
        between = self.narrowed(torch.matmul(self.narrow.weight, local))
        return local + self.widened(torch.matmul(self.widen.weight, between))


class TfcTdfUNet(BlockUNet):
    """Estimate masks with TFC-TDF blocks."""

    def block(self, in_channels: int, out_channels: int, depth: int) -> nn.Module:
        """Return a TFC-TDF block for the bins of its depth."""
        config = self.config
        return TfcTdfBlock(in_channels, out_channels, config.bins >> (depth + 1), config.layers, config.bottleneck)

    def joined(self, hidden: Tensor, skipped: Tensor) -> Tensor:
        """Combine the maps of decoder and skip, both (batch, filters, bins, frames)."""
        return hidden * skipped if self.config.skips == "multiply" else super().joined(hidden, skipped)

    def joined_filters(self, hidden: int, skipped: int) -> int:
        """Return the number of filters of the output of `joined`."""
        return hidden if self.config.skips == "multiply" else super().joined_filters(hidden, skipped)
