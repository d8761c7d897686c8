"""The table of all architectures, by name. Importing this module does not import any network."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ..errors import ModelError

if TYPE_CHECKING:
    from .network import Network

# Name in configurations and model files: module of this package and class in it.
ARCHITECTURES = {
    "unet": "unet.UNet",
    "spleeter": "spleeter.SpleeterUNet",
    "resunet": "resunet.ResUNet",
    "denseunet": "denseunet.DenseUNet",
    "multiresunet": "multiresunet.MultiResUNet",
    "r2unet": "r2unet.R2UNet",
    "attention-unet": "attention_unet.AttentionUNet",
    "attention-r2unet": "attention_r2unet.AttentionR2UNet",
    "unet3d": "unet3d.UNet3D",
    "tfc-tdf": "tfc_tdf.TfcTdfUNet",
    "band-tfc-tdf": "band_tfc_tdf.BandTfcTdfUNet",
    "wave-unet": "wave_unet.WaveUNet",
    "pair": "pair.Pair",
}


def config_class(architecture: str) -> type[Any]:
    """Return the configuration class of an architecture; raises ModelError if the name is unknown."""
    return _network_class(architecture).Config


def build(architecture: str, config: Any) -> Network:
    """Build a new network of an architecture from its configuration; raises ModelError as `config_class`."""
    return _network_class(architecture)(config)


def _network_class(architecture: str) -> type[Network]:
    # A configuration file may contain any type here, such as a list.
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        raise ModelError(f"unknown architecture {architecture!r}; known are {', '.join(ARCHITECTURES)}")
    module, name = ARCHITECTURES[architecture].split(".")
    network: type[Network] = getattr(importlib.import_module(f".{module}", __package__), name)
    return network
