"""TFC-TDF-UNet v3: the network of MDX23C.

M. Kim, J. H. Lee, S. Jung: "Sound demixing challenge 2023 music demixing track technical report: TFC-TDF-UNet v3",
2023. Blocks of convolutions over time and frequency and of fully connected layers over frequency alone. The names of
its parts are those of published weights.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
from torch import Tensor, nn

Layer = Callable[[int], nn.Module]


class Network(nn.Module):
    """Maps the spectrum of a mixture to those of its sources; real and imaginary parts are channels.

    Parameters
    ----------
    channels : int
        Of the input: audio channels times 2.
    sources : int
    bins : int
    settings : dict
        ``num_subbands``, ``num_scales``, ``scale``, ``num_blocks_per_scale``, ``num_channels``, ``growth``,
        ``bottleneck_factor``, ``norm`` and ``act``, as published configurations call them.
    """

    def __init__(self, channels: int, sources: int, bins: int, settings: dict):  # type: ignore[type-arg]
        super().__init__()
        norm, activation = norm_layer(settings["norm"]), activation_layer(settings["act"])
        self.sources = sources
        self.subbands = settings["num_subbands"]
        scale, growth = tuple(settings["scale"]), settings["growth"]
        width, inputs, rows = settings["num_channels"], channels * self.subbands, bins // self.subbands

        def blocks(before: int, after: int) -> nn.Module:
            count, factor = settings["num_blocks_per_scale"], settings["bottleneck_factor"]
            return _Blocks(before, after, rows, count, factor, norm, activation)

        def resampled(kind: type[nn.Module], before: int, after: int) -> nn.Module:
            layer = kind(before, after, scale, scale, bias=False)
            return nn.ModuleDict({"conv": nn.Sequential(norm(before), activation, layer)})

        self.first_conv = nn.Conv2d(inputs, width, 1, bias=False)
        self.encoder_blocks = nn.ModuleList()
        for _ in range(settings["num_scales"]):
            level = {"tfc_tdf": blocks(width, width), "downscale": resampled(nn.Conv2d, width, width + growth)}
            self.encoder_blocks.append(nn.ModuleDict(level))
            rows, width = rows // scale[1], width + growth
        self.bottleneck_block = blocks(width, width)
        self.decoder_blocks = nn.ModuleList()
        for _ in range(settings["num_scales"]):
            rows, width = rows * scale[1], width - growth
            up = resampled(nn.ConvTranspose2d, width + growth, width)
            self.decoder_blocks.append(nn.ModuleDict({"upscale": up, "tfc_tdf": blocks(2 * width, width)}))
        self.final_conv = nn.Sequential(
            nn.Conv2d(width + inputs, width, 1, bias=False),
            activation,
            nn.Conv2d(width, sources * inputs, 1, bias=False),
        )

    def forward(self, spectrum: Tensor) -> Tensor:
        """Return (batch, sources, channels, bins, frames) of spectra (batch, channels, bins, frames)."""
        batch, channels, bins, frames = spectrum.shape
        mixture = spectrum.reshape(batch, channels * self.subbands, bins // self.subbands, frames)
        first = self.first_conv(mixture)
        # Fully connected layers are over the last axis.
        features = first.transpose(-1, -2)
        skips = []
        for level in self.encoder_blocks:
            features = level.get_submodule("tfc_tdf")(features)
            skips.append(features)
            features = level.get_submodule("downscale.conv")(features)
        features = self.bottleneck_block(features)
        for level in self.decoder_blocks:
            features = torch.cat([level.get_submodule("upscale.conv")(features), skips.pop()], 1)
            features = level.get_submodule("tfc_tdf")(features)
        features = features.transpose(-1, -2) * first
        result = self.final_conv(torch.cat([mixture, features], 1))
        return result.reshape(batch, self.sources, channels, bins, frames)


class _Blocks(nn.Module):
    """Several blocks, one after another."""

    def __init__(self, before: int, after: int, rows: int, count: int, factor: int, norm: Layer, activation: nn.Module):
        super().__init__()
        self.blocks = nn.ModuleList()
        for _ in range(count):
            parts = {
                "tfc1": nn.Sequential(norm(before), activation, nn.Conv2d(before, after, 3, padding=1, bias=False)),
                "tdf": nn.Sequential(
                    norm(after),
                    activation,
                    nn.Linear(rows, rows // factor, bias=False),
                    norm(after),
                    activation,
                    nn.Linear(rows // factor, rows, bias=False),
                ),
                "tfc2": nn.Sequential(norm(after), activation, nn.Conv2d(after, after, 3, padding=1, bias=False)),
                "shortcut": nn.Conv2d(before, after, 1, bias=False),
            }
            self.blocks.append(nn.ModuleDict(parts))
            before = after

    def forward(self, features: Tensor) -> Tensor:
        """Return features (batch, channels, frames, rows) of the same shape but for their channels."""
        for parts in self.blocks:
            inner = parts.get_submodule("tfc1")(features)
            shortcut = parts.get_submodule("shortcut")(features)
            features = parts.get_submodule("tfc2")(inner + parts.get_submodule("tdf")(inner)) + shortcut
        return features


def norm_layer(name: str | None) -> Layer:
    """Return what makes a normalisation of so many channels; raises ValueError for an unknown name."""
    if name is None:
        return lambda channels: nn.Identity()
    if name == "BatchNorm":
        return nn.BatchNorm2d
    if name == "InstanceNorm":
        return lambda channels: nn.InstanceNorm2d(channels, affine=True)
    groups = re.fullmatch(r"GroupNorm(\d{1,4})", name)
    if groups is None:
        raise ValueError(f"unknown normalisation {name!r}")
    return lambda channels: nn.GroupNorm(int(groups[1]), channels)


def activation_layer(name: str) -> nn.Module:
    """Return an activation; raises ValueError for an unknown name."""
    if name in ("gelu", "relu"):
        return nn.GELU() if name == "gelu" else nn.ReLU()
    alpha = re.fullmatch(r"elu(\d{1,3}(\.\d{1,6})?)", name)
    if alpha is None:
        raise ValueError(f"unknown activation {name!r}")
    return nn.ELU(float(alpha[1]))
