"""U-Net over a stack of spectrograms of several resolutions.

O. Cicek, A. Abdulkadir, S. Lienkamp, T. Brox, O. Ronneberger: "3D U-Net: Learning Dense Volumetric Segmentation from
Sparse Annotation", MICCAI 2016. The third axis is a stack of resolutions, not of stereo channels: a voice differs from
its accompaniment in how it moves, and a long window shows its steady harmonics, a short one its consonants and glides,
side by side at the same bin and frame; left and right differ too little to justify an axis.

The shorter windows cost no transforms of their own. A frame under the square of a Hann window is the frame under the
window itself, convolved over bins with the window's own transform (-1/4, 1/2, -1/4); the n-th power of a Hann window is
about as long as one of the length divided by the square root of n.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import heads
from .configs.block_unet import STEM_KERNEL, STEM_PADDING
from .configs.unet3d import UNet3DConfig
from .level import EPSILON, local_level
from .network import MaskNetwork
from .shared import BatchNorm2d

KERNEL = (3, 3, 3)


class UNet3D(MaskNetwork):
    """Estimate masks from a stack of resolutions."""

    layout = torch.contiguous_format

    def __init__(self, config: UNet3DConfig):
        super().__init__()
        self.config: UNet3DConfig = config
        filters, channels = config.filters, config.channels
        self.stem = nn.Conv3d(
            channels,
            filters[0],
            (1, STEM_KERNEL, STEM_KERNEL),
            stride=(1, 2, 2),
            padding=(0, STEM_PADDING, STEM_PADDING),
        )
        widths = [filters[0], *filters]
        self.encoder = nn.ModuleList(_block(before, count) for before, count in zip(widths, filters, strict=False))
        self.pool = nn.MaxPool3d((1, 2, 2))
        pairs = list(zip(filters[:0:-1], filters[-2::-1], strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose3d(below, count, (1, 2, 2), stride=(1, 2, 2)) for below, count in pairs)
        self.decoder = nn.ModuleList(_block(2 * count, count) for _, count in pairs)
        self.flatten = nn.Conv3d(filters[0], filters[0], (len(config.powers), 1, 1))
        self.head = nn.ConvTranspose2d(filters[0], channels, STEM_KERNEL, stride=2, padding=STEM_PADDING)

    def network_input(self, spectrum: Tensor, bins: int) -> Tensor:
        """Return magnitudes of all resolutions, (batch, resolutions * channels, bins, frames), the first one's first.

        `spectrum` is (batch, channels, all_bins, frames), complex, under a Hann window.
        """
        return torch.cat([_narrowed(spectrum, bins, power).abs() for power in self.config.powers], dim=1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return masks, (batch, channels, bins, frames), for what `network_input` returned."""
        channels = self.config.channels
        magnitude = inputs[:, :channels]
        level = local_level(magnitude, self.config.level_frames)
        hidden = (inputs / (level + EPSILON)) ** self.config.compression
        hidden = hidden.unflatten(1, (len(self.config.powers), channels)).transpose(1, 2)
        hidden = self.stem(hidden)
        skips: list[Tensor] = []
        for depth, block in enumerate(self.encoder):
            hidden = block(self.pool(hidden) if depth else hidden)
            skips.append(hidden)
        skips.pop()
        for up, block in zip(self.up, self.decoder, strict=True):
            hidden = block(torch.cat([up(hidden), skips.pop()], dim=1))
        values = self.head(torch.relu(self.flatten(hidden).squeeze(2)))
        return heads.masks(values, magnitude, level, self.config.head, self.training)


class _Norm(BatchNorm2d):
    """Batch norm of (batch, filters, resolutions, bins, frames)."""

    def forward(self, hidden: Tensor) -> Tensor:
        return super().forward(hidden.flatten(2, 3)).unflatten(2, hidden.shape[2:4])


def _block(in_channels: int, out_channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before in (in_channels, out_channels):
        layers += [
            nn.Conv3d(before, out_channels, KERNEL, padding=1, bias=False),
            _Norm(out_channels),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def _narrowed(spectrum: Tensor, bins: int, power: int) -> Tensor:
    """Return the lowest bins of a spectrum for a window that is the given power of its own."""
    if power == 1:
        return spectrum[:, :, :bins]
    radius = power - 1
    # The window's own three taps, convolved with themselves: binomial coefficients of alternating sign.
    binomials = [(-1) ** (tap - radius) * math.comb(2 * radius, tap) / 4**radius for tap in range(2 * radius + 1)]
    taps = torch.tensor(binomials, dtype=spectrum.real.dtype, device=spectrum.device)
    # Below 0 Hz a real signal's spectrum is its own mirror image, conjugate; above the last bin likewise.
    inside = torch.cat([spectrum[:, :, 1 : radius + 1].flip(2).conj(), spectrum[:, :, : bins + radius]], dim=2)
    missing = bins + 2 * radius - inside.shape[2]
    if missing:
        top = spectrum[:, :, -1 - missing : -1].flip(2).conj()
        inside = torch.cat([inside, top], dim=2)
    parts = torch.view_as_real(inside).permute(0, 1, 4, 3, 2)
    smooth = functional.conv1d(parts.reshape(-1, 1, parts.shape[-1]), taps[None, None])
    return torch.view_as_complex(smooth.view(*parts.shape[:-1], bins).permute(0, 1, 4, 3, 2).contiguous())
