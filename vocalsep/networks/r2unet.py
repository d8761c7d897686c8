"""U-Net of recurrent residual blocks.

M. Z. Alom, M. Hasan, C. Yakopcic, T. Taha, V. Asari: "Recurrent Residual Convolutional Neural Network based on U-Net
(R2U-Net) for Medical Image Segmentation", 2018.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .block_unet import BlockUNet, convolution
from .configs.r2unet import LAYERS
from .shared import BatchNorm2d


class RecurrentLayer(nn.Module):
    """One convolution, applied again to the sum of its input and its output.

    Each step has its own batch norm, because the statistics of the sums differ from those of the input (T. Cooijmans et
    al.: "Recurrent Batch Normalization", ICLR 2017): shared running averages would fit none of them.
    """

    def __init__(self, filters: int, steps: int):
        super().__init__()
        self.convolution = convolution(filters, filters)
        self.norms = nn.ModuleList(BatchNorm2d(filters) for _ in range(steps + 1))

    def forward(self, hidden: Tensor) -> Tensor:
        """Take and return (batch, filters, bins, frames)."""
        output = torch.zeros_like(hidden)
        for norm in self.norms:
            output = norm(self.convolution(hidden + output)).relu_()
        return output


class RecurrentBlock(nn.Module):
    """Two recurrent layers with a residual connection."""

    def __init__(self, in_channels: int, out_channels: int, steps: int):
        super().__init__()
        self.entry = nn.Conv2d(in_channels, out_channels, 1)
        self.path = nn.Sequential(*(RecurrentLayer(out_channels, steps) for _ in range(LAYERS)))

    def forward(self, hidden: Tensor) -> Tensor:
        """Take (batch, in_channels, bins, frames), return (batch, out_channels, bins, frames)."""
        projected = self.entry(hidden)
        result: Tensor = projected + self.path(projected)
        return result


class R2UNet(BlockUNet):
    """Estimate masks with recurrent residual blocks."""

    def block(self, in_channels: int, out_channels: int, depth: int) -> nn.Module:
        """Return a recurrent residual block."""
        return RecurrentBlock(in_channels, out_channels, self.config.steps)
