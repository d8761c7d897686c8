"""Build the network that a configuration describes."""

from __future__ import annotations

from typing import Any

from .network import MaskNetwork
from .spleeter import SpleeterUNet
from .unet import UNet

NETWORKS: dict[str, type[Any]] = {"unet": UNet, "spleeter": SpleeterUNet}


def build(architecture: str, config: Any) -> MaskNetwork:
    """Return a new network of a known architecture (a key of `configs.CONFIGS`) from its own configuration."""
    network: MaskNetwork = NETWORKS[architecture](config)
    return network
