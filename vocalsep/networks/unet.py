"""Deep U-Net mask estimator.

A. Jansson, E. Humphrey, N. Montecchio, R. Bittner, A. Kumar, T. Weyde: "Singing Voice Separation with Deep U-Net
Convolutional Networks", ISMIR 2017. Two things differ from the paper: the input is divided by its local level and
compressed, and the masks of all audio channels come from one network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .configs import UNetConfig
from .level import relative_level
from .network import MaskNetwork
from .shared import BatchNorm2d, Dropout

DROPOUT_LAYERS = 3


class UNet(MaskNetwork):
    """Estimate the vocals' share of each bin of a mixture.

    Strided convolutions lead down, transposed ones back up, and each decoder layer sees the encoder layer of its own
    size. A sigmoid makes the masks.
    """

    def __init__(self, config: UNetConfig):
        super().__init__()
        self.config: UNetConfig = config
        wide = (config.channels, *config.filters)
        self.encoder = nn.ModuleList(_down(wide[i], wide[i + 1], config.kernel) for i in range(len(config.filters)))
        up: list[nn.Module] = []
        for depth in range(len(config.filters), 1, -1):
            entering = wide[depth] if depth == len(config.filters) else 2 * wide[depth]
            dropout = config.dropout if len(up) < DROPOUT_LAYERS else 0.0
            up.append(_up(entering, wide[depth - 1], config.kernel, dropout))
        self.decoder = nn.ModuleList(up)
        entering = config.filters[0] * (2 if up else 1)
        self.head = _transposed(entering, config.channels, config.kernel, bias=True)

    def forward(self, magnitude: Tensor) -> Tensor:
        """Return masks in 0..1 of the shape of `magnitude`, (batch, channels, bins, frames).

        Bins and frames are multiples of ``config.stride``.
        """
        hidden = relative_level(magnitude, self.config.level_frames) ** self.config.compression
        skips: list[Tensor] = []
        for layer in self.encoder:
            hidden = layer(hidden)
            skips.append(hidden)
        hidden = skips.pop()
        for layer in self.decoder:
            hidden = torch.cat([layer(hidden), skips.pop()], dim=1)
        return torch.sigmoid(self.head(hidden))


def _down(entering: int, leaving: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(entering, leaving, kernel, stride=2, padding=kernel // 2, bias=False),
        BatchNorm2d(leaving),
        nn.LeakyReLU(0.2, inplace=True),
    )


def _up(entering: int, leaving: int, kernel: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        _transposed(entering, leaving, kernel, bias=False),
        BatchNorm2d(leaving),
        nn.ReLU(inplace=True),
        Dropout(dropout, whole_maps=True),
    )


def _transposed(entering: int, leaving: int, kernel: int, bias: bool) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(entering, leaving, kernel, stride=2, padding=kernel // 2, output_padding=1, bias=bias)
