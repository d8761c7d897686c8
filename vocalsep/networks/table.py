"""The table of all architectures, by name. Importing this module imports no network and no torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ..errors import ModelError
from ..system.extras import require

if TYPE_CHECKING:
    from .network import Network

# Name in configurations and model files: configuration class, which imports no torch, and network class.
ARCHITECTURES = {
    "unet": ("configs.unet.UNetConfig", "unet.UNet"),
    "spleeter": ("configs.spleeter.SpleeterConfig", "spleeter.SpleeterUNet"),
    "resunet": ("configs.resunet.ResUNetConfig", "resunet.ResUNet"),
    "denseunet": ("configs.denseunet.DenseUNetConfig", "denseunet.DenseUNet"),
    "multiresunet": ("configs.multiresunet.MultiResUNetConfig", "multiresunet.MultiResUNet"),
    "r2unet": ("configs.r2unet.R2UNetConfig", "r2unet.R2UNet"),
    "attention-unet": ("configs.attention_unet.AttentionUNetConfig", "attention_unet.AttentionUNet"),
    "attention-r2unet": ("configs.r2unet.R2UNetConfig", "attention_r2unet.AttentionR2UNet"),
    "unet3d": ("configs.unet3d.UNet3DConfig", "unet3d.UNet3D"),
    "tfc-tdf": ("configs.tfc_tdf.TfcTdfConfig", "tfc_tdf.TfcTdfUNet"),
    "band-tfc-tdf": ("configs.band_tfc_tdf.BandTfcTdfConfig", "band_tfc_tdf.BandTfcTdfUNet"),
    "wave-unet": ("configs.wave_unet.WaveUNetConfig", "wave_unet.WaveUNet"),
    "pair": ("configs.pair.PairConfig", "pair.Pair"),
}


def config_class(architecture: str) -> type[Any]:
    """Return the configuration class of an architecture; raises ModelError if the name is unknown."""
    return _class(_entry(architecture)[0])


def build(architecture: str, config: Any) -> Network:
    """Build a new network of an architecture from its configuration.

    Raises
    ------
    ModelError
        The name is unknown.
    MissingExtraError
        Torch is not installed.
    """
    network = _entry(architecture)[1]
    require("torch", f"the network {architecture!r}")
    built: Network = _class(network)(config)
    return built


def _entry(architecture: str) -> tuple[str, str]:
    # A configuration file may contain any type here, such as a list.
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        raise ModelError(f"unknown architecture {architecture!r}; known are {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[architecture]


def _class(name: str) -> type[Any]:
    """Return a class by its name below this package."""
    module, _, class_name = name.rpartition(".")
    found: type[Any] = getattr(importlib.import_module(f".{module}", __package__), class_name)
    return found
