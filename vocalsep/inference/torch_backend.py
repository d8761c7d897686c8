"""Networks computed by torch, on a CPU or a GPU."""

from __future__ import annotations

import contextlib

import numpy as np
import torch

from ..errors import UsageError
from ..networks.network import MaskNetwork, Network, WaveNetwork
from .backend import MaskBackend, MaskShape, WaveBackend, WaveShape

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class TorchMasks(MaskBackend):
    """A `MaskNetwork` on a device.

    Parameters
    ----------
    network : MaskNetwork
        Already there, and laid out.
    bins : int
        How many bins it makes masks for.
    device : torch.device
    precision : str
        Of products inside the network: ``float32``, ``bfloat16`` or ``float16``.
    """

    def __init__(self, network: MaskNetwork, bins: int, device: torch.device, precision: str = "float32"):
        config = network.config
        mid_side = getattr(config, "mid_side", False)
        self.shape = MaskShape(config.channels, config.stride, config.context, mid_side)
        self.network = network
        self.bins = bins
        self.device = device
        self.precision = precision

    @torch.inference_mode()
    def masks(self, spectra: np.ndarray, start: int, stop: int) -> np.ndarray:
        """Return masks, see `MaskBackend.masks`."""
        if self.network.takes_magnitudes:
            # As network.hear does it, but ten times as fast.
            heard = torch.from_numpy(np.abs(spectra[:, :, : self.bins])).to(self.device)
        else:
            heard = self.network.hear(torch.from_numpy(spectra).to(self.device), self.bins)
        with _products(self.device, self.precision):
            masks = self.network.masks_between(heard, start, stop)
        return masks.float().cpu().numpy()


class TorchWaves(WaveBackend):
    """A `WaveNetwork` on a device; parameters as `TorchMasks` has them."""

    def __init__(self, network: WaveNetwork, device: torch.device, precision: str = "float32"):
        config = network.config
        heard = config.samples_heard(config.tile)
        self.shape = WaveShape(config.channels, config.tile, heard, config.reach)
        self.network = network
        self.device = device
        self.precision = precision

    @torch.inference_mode()
    def vocals(self, mixtures: np.ndarray) -> np.ndarray:
        """Return vocals, see `WaveBackend.vocals`."""
        with _products(self.device, self.precision):
            estimates = self.network(torch.from_numpy(mixtures).to(self.device))
        return estimates[:, : self.shape.channels, : self.shape.tile].float().cpu().numpy()


def torch_backend(
    network: Network, bins: int, device: torch.device, precision: str = "float32"
) -> TorchMasks | TorchWaves:
    """Return the backend of a network that is on `device` already."""
    if isinstance(network, WaveNetwork):
        return TorchWaves(network, device, precision)
    if not isinstance(network, MaskNetwork):
        raise TypeError(f"{type(network).__name__} is neither a mask nor a waveform network")
    return TorchMasks(network, bins, device, precision)


def choose_device(asked: str) -> tuple[torch.device, str]:
    """Return a device, and a remark where it is not the one asked for; raises UsageError for an unknown name."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if asked == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if there[name])), ""
    if asked not in there:
        raise UsageError(f"unknown device {asked!r}; choose auto, cpu, cuda or mps")
    if not there[asked]:
        return torch.device("cpu"), f"{asked} is not available here; using the cpu"
    return torch.device(asked), ""


def _products(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=PRECISIONS[precision])
