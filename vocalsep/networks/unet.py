"""Deep U-Net mask estimator.

A. Jansson, E. Humphrey, N. Montecchio, R. Bittner, A. Kumar, T. Weyde: "Singing Voice Separation with Deep U-Net
Convolutional Networks", ISMIR 2017. Two things differ from the paper: the input is divided by its local level (the
paper divides each song by its maximum, which a stream does not know) and by default compressed, and the masks of all
audio channels come from one network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from . import heads
from .configs.unet import ACTIVATIONS, UNetConfig
from .level import EPSILON, local_level
from .network import MaskNetwork
from .shared import BatchNorm2d, Dropout

DROPOUT_LAYERS = 3
ACTIVATION_LAYERS: tuple[type[nn.Module], ...] = (nn.LeakyReLU, nn.ReLU, nn.ELU, nn.SiLU)
SLOPE = 0.2


class UNet(MaskNetwork):
    """Estimate the vocals' share of each bin of a mixture.

    Strided convolutions downsample, transposed ones upsample, and each decoder layer also takes the output of the
    encoder layer of its size.
    """

    def __init__(self, config: UNetConfig):
        super().__init__()
        self.config: UNetConfig = config
        wide = (config.channels, *config.filters)
        self.encoder = nn.ModuleList(_down(wide[i], wide[i + 1], config) for i in range(len(config.filters)))
        up: list[nn.Module] = []
        for depth in range(len(config.filters), 1, -1):
            in_channels = wide[depth] if depth == len(config.filters) else 2 * wide[depth]
            dropout = config.dropout if len(up) < DROPOUT_LAYERS else 0.0
            up.append(_up(in_channels, wide[depth - 1], config, dropout))
        self.decoder = nn.ModuleList(up)
        in_channels = config.filters[0] * (2 if up else 1)
        self.head = _transposed(in_channels, config.channels, config.kernel, bias=True)

    def forward(self, magnitude: Tensor) -> Tensor:
        """Return masks of the shape of `magnitude`, the mixture's (batch, channels, bins, frames).

        Bins and frames are multiples of ``config.stride``.
        """
        level = local_level(magnitude, self.config.level_frames)
        hidden = (magnitude / (level + EPSILON)) ** self.config.compression
        skips: list[Tensor] = []
        for layer in self.encoder:
            hidden = layer(hidden)
            skips.append(hidden)
        hidden = skips.pop()
        for layer in self.decoder:
            hidden = torch.cat([layer(hidden), skips.pop()], dim=1)
        return heads.masks(self.head(hidden), magnitude, level, self.config.head, self.training)


def _down(in_channels: int, out_channels: int, config: UNetConfig) -> nn.Sequential:
    pooled = config.downsampling == "max-pool"
    convolution = nn.Conv2d(
        in_channels,
        out_channels,
        config.kernel,
        stride=1 if pooled else 2,
        padding=(config.kernel - 1) // 2,
        bias=config.norm != "before",
    )
    slope = {"negative_slope": SLOPE} if config.activation == "leaky-relu" else {}
    activation = ACTIVATION_LAYERS[ACTIVATIONS.index(config.activation)](inplace=True, **slope)
    return nn.Sequential(
        convolution, *_normed(out_channels, activation, config), *([nn.MaxPool2d(2)] if pooled else [])
    )


def _up(in_channels: int, out_channels: int, config: UNetConfig, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        _transposed(in_channels, out_channels, config.kernel, bias=config.norm != "before"),
        *_normed(out_channels, nn.ReLU(inplace=True), config),
        Dropout(dropout, whole_maps=True),
    )


def _normed(filters: int, activation: nn.Module, config: UNetConfig) -> list[nn.Module]:
    if config.norm == "none":
        return [activation]
    norm = BatchNorm2d(filters)
    return [norm, activation] if config.norm == "before" else [activation, norm]


def _transposed(in_channels: int, out_channels: int, kernel: int, bias: bool) -> nn.ConvTranspose2d:
    padding, output_padding = (kernel - 1) // 2, kernel % 2
    return nn.ConvTranspose2d(
        in_channels, out_channels, kernel, stride=2, padding=padding, output_padding=output_padding, bias=bias
    )
