"""U-Net of residual TFC-TDF blocks over frequency bands that are stacked as channels.

W. Choi, M. Kim, J. Chung, D. Lee, S. Jung: "Investigating U-Nets with various intermediate blocks for
spectrogram-based singing voice separation", ISMIR 2020 (time-frequency convolutions and fully connected layers over
frequency, TFC-TDF); M. Kim et al.: "KUIELab-MDX-Net", MDX workshop 2021 (the output multiplied with the first maps);
H. Liu et al.: "Channel-wise subband input for better voice and accompaniment separation", Interspeech 2020 (bands as
channels). With B bands every layer works at 1/B of the bins, so that wide layers are affordable.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .block_unet import convolution, normed
from .configs.band_tfc_tdf import BandTfcTdfConfig
from .level import EPSILON, local_level
from .network import MaskNetwork
from .shared import BatchNorm2d
from .spleeter import input_span


class ResidualTfcTdf(nn.Module):
    """Two halves of convolutions with two fully connected layers over the bins of a band between them.

    Each convolution is followed by its batch norm, into which it is folded once training is over.
    """

    def __init__(self, in_channels: int, out_channels: int, bins: int, layers: int, bottleneck: int):
        super().__init__()
        self.first = nn.Sequential(
            *(
                normed(convolution(out_channels if i else in_channels, out_channels), out_channels)
                for i in range(layers)
            )
        )
        narrow = max(1, bins // bottleneck)
        self.narrow = nn.Linear(bins, narrow, bias=False)
        self.narrow_norm = nn.Sequential(BatchNorm2d(out_channels), nn.ReLU(inplace=True))
        self.widen = nn.Linear(narrow, bins, bias=False)
        self.second = nn.Sequential(
            *(normed(convolution(out_channels, out_channels), out_channels) for _ in range(layers - 1)),
            convolution(out_channels, out_channels),
            BatchNorm2d(out_channels),
        )
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else nn.Identity()

    def forward(self, hidden: Tensor) -> Tensor:
        """Take (batch, in_channels, bins, frames), return (batch, out_channels, bins, frames)."""
        inner: Tensor = self.first(hidden)
        narrow = self.narrow_norm(_over_bins(self.narrow.weight, inner))
        inner = inner + _over_bins(self.widen.weight, narrow)
        return torch.relu(self.second(inner) + self.shortcut(hidden))


def _over_bins(weight: Tensor, hidden: Tensor) -> Tensor:
    """Multiply the bins of (batch, channels, bins, frames) with a matrix (new bins, bins); the layout stays."""
    if not hidden.is_contiguous(memory_format=torch.channels_last):
        return torch.matmul(weight, hidden)
    batch, channels, bins, frames = hidden.shape
    rows = torch.bmm(weight.expand(batch, -1, -1), hidden.permute(0, 2, 3, 1).reshape(batch, bins, -1))
    return rows.view(batch, -1, frames, channels).permute(0, 3, 1, 2)


class DilatedTime(nn.Module):
    """A residual convolution over time."""

    def __init__(self, channels: int, dilation: int):
        super().__init__()
        self.convolution = normed(
            nn.Conv2d(channels, channels, (1, 3), padding=(0, dilation), dilation=(1, dilation), bias=False), channels
        )

    def forward(self, hidden: Tensor) -> Tensor:
        """Take and return (batch, channels, bins, frames)."""
        result: Tensor = hidden + self.convolution(hidden)
        return result


class BandTfcTdfUNet(MaskNetwork):
    """Estimate masks with residual TFC-TDF blocks over stacked bands."""

    def __init__(self, config: BandTfcTdfConfig):
        super().__init__()
        self.config: BandTfcTdfConfig = config
        self._layer_context = config.layer_context
        filters, stacked = config.filters, config.channels * config.bands
        in_channels = 2 * stacked if config.mid_side else stacked
        self.stem = normed(nn.Conv2d(in_channels, filters[0], 1, bias=False), filters[0])
        self.encoder, self.down = nn.ModuleList(), nn.ModuleList()
        self.up, self.decoder = nn.ModuleList(), nn.ModuleList()
        for scale, count in enumerate(filters):
            self.encoder.append(self._block(count, count, scale))
            if scale + 1 < len(filters):
                self.down.append(
                    normed(nn.Conv2d(count, filters[scale + 1], 2, stride=2, bias=False), filters[scale + 1])
                )
        self.time = nn.Sequential(*(DilatedTime(filters[-1], dilation) for dilation in config.dilations))
        for scale in range(len(filters) - 2, -1, -1):
            count = filters[scale]
            self.up.append(normed(nn.ConvTranspose2d(filters[scale + 1], count, 2, stride=2, bias=False), count))
            self.decoder.append(self._block(2 * count, count, scale))
        self.head = nn.Conv2d(filters[0], stacked, 1)

    def _block(self, in_channels: int, out_channels: int, scale: int) -> ResidualTfcTdf:
        config = self.config
        bins = config.bins // config.bands >> scale
        return ResidualTfcTdf(in_channels, out_channels, bins, config.layers, config.bottleneck)

    def network_input(self, spectrum: Tensor, bins: int) -> Tensor:
        """Return the magnitudes of all channels, followed by those of mid and side if the network takes them.

        They are (batch, channels or 2 * channels, bins, frames); see `MaskNetwork.network_input`.
        """
        spectrum = spectrum[:, :, :bins]
        if self.config.mid_side:
            left, right = spectrum.chunk(2, dim=1)
            spectrum = torch.cat([spectrum, (left + right) / 2, (left - right) / 2], dim=1)
        return spectrum.abs()

    @property
    def takes_magnitudes(self) -> bool:
        """Whether `network_input` returns the magnitudes of the channels and nothing else."""
        return not self.config.mid_side

    def forward(self, magnitude: Tensor) -> Tensor:
        """Return masks in 0..1, (batch, channels, bins, frames), for magnitudes from `network_input`.

        Frames are a multiple of ``config.stride``.
        """
        return self.masks_between(magnitude, 0, magnitude.shape[3])

    def masks_between(self, magnitude: Tensor, start: int, stop: int) -> Tensor:
        """Return the masks of some frames, see `MaskNetwork.masks_between`; only their receptive field is computed."""
        frames = magnitude.shape[3]
        level = local_level(magnitude[:, : self.config.channels], self.config.level_frames)
        first, last = input_span(start, stop, frames, self._layer_context, self.config.stride)
        magnitude, level = magnitude[..., first:last], level[..., first:last]
        torch._check(magnitude.shape[3] == last - first)
        masks = self._masks((magnitude / (level + EPSILON)) ** self.config.compression)
        part = masks[..., start - first : stop - first]
        torch._check(part.shape[3] == stop - start)
        return part

    def _masks(self, network_input: Tensor) -> Tensor:
        batch, channels, bins, frames = network_input.shape
        bands = self.config.bands
        stacked = network_input.reshape(batch, channels * bands, bins // bands, frames)
        if self.layout == torch.channels_last:
            stacked = stacked.contiguous(memory_format=torch.channels_last)
        hidden = stem = self.stem(stacked)
        skips: list[Tensor] = []
        for scale, block in enumerate(self.encoder):
            hidden = block(hidden)
            if scale < len(self.down):
                skips.append(hidden)
                hidden = self.down[scale](hidden)
        hidden = self.time(hidden)
        for up, block in zip(self.up, self.decoder, strict=True):
            hidden = block(torch.cat([up(hidden), skips.pop()], dim=1))
        masks = torch.sigmoid(self.head(hidden * stem))
        return masks.reshape(batch, self.config.channels, bins, frames)
