"""Networks on segments that torch computes, from packages of other authors."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ...errors import ModelError
from ...system.background import run_in_thread
from ...system.cancellation import Cancellation
from ..backend import SegmentBackend, SegmentShape
from ..devices import choose_device
from ..threads import PARALLEL_CALLS, Threads
from ..torch_backend import TorchThreads, autocast, tensor
from .table import Running, Runtime

if TYPE_CHECKING:
    # What computes sources (batch, names, channels, samples) of mixtures (batch, channels, samples).
    Estimate = Callable[[torch.Tensor, Sequence[str]], torch.Tensor]


class TorchSegments(TorchThreads, SegmentBackend):
    """A network on a device.

    Parameters
    ----------
    estimate : callable
        Computes sources (batch, names, channels, samples) of mixtures (batch, channels, samples) and names.
    shape : SegmentShape
    device, precision, threads
        See `TorchThreads`.
    """

    def __init__(self, estimate: Estimate, shape: SegmentShape, device: torch.device, precision: str, threads: Threads):
        super().__init__(device, precision, threads)
        self.estimate = estimate
        self.shape = shape

    @torch.inference_mode()
    def sources(
        self, mixtures: np.ndarray, names: Sequence[str], cancellation: Cancellation | None = None
    ) -> np.ndarray:
        """Return sources, see `SegmentBackend.sources`."""
        inputs = tensor(np.ascontiguousarray(mixtures, np.float32)).to(self.device)
        with autocast(self.device, self.precision):
            estimates = self.estimate(inputs, names)
        return estimates.float().cpu().numpy()


def start(shape: SegmentShape, runtime: Runtime, open_estimate: Callable[[torch.device], Estimate]) -> Running:
    """Return the running backend of a network; `open_estimate` moves the network to a device."""
    device, fallback = choose_device(runtime.device)
    calls = PARALLEL_CALLS if device.type == "cpu" else 1
    threads = Threads(runtime.threads or torch.get_num_threads(), calls)
    backend = TorchSegments(open_estimate(device), shape, device, runtime.precision, threads)
    return Running(backend, f"on {device.type}, {threads.count} threads", device.type, fallback)


def load_weights(path: pathlib.Path, network: torch.nn.Module, prefix: str = "") -> torch.nn.Module:
    """Give a network the weights of a model file whose names begin with a prefix; return it ready to compute.

    A network on the device ``meta`` is allocated only if it has as many values as the file.

    Raises
    ------
    ModelError
        The weights are damaged, hold NaN or infinite values, or do not fit the network.
    """
    # In a thread that ends, see `torch_threads`.
    return run_in_thread(lambda: _load_weights(path, network, prefix)).result()


def _load_weights(path: pathlib.Path, network: torch.nn.Module, prefix: str) -> torch.nn.Module:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            every: list[str] = list(file.keys())
            names = [name for name in every if name.startswith(prefix)]
            weights: dict[str, Any] = {name.removeprefix(prefix): file.get_tensor(name) for name in names}
        if any(parameter.is_meta for parameter in network.parameters()):
            _allocate(network, weights)
        network.load_state_dict(weights)
    except (SafetensorError, OSError, RuntimeError):
        raise ModelError(
            "the weights are damaged or do not fit the model's own configuration", path=path, hint="add the model again"
        ) from None
    if not all(bool(tensor.isfinite().all()) for tensor in weights.values()):
        raise ModelError("the weights hold NaN or infinite values", path=path)
    return network.float().eval().requires_grad_(False)


def _allocate(network: torch.nn.Module, weights: dict[str, torch.Tensor]) -> None:
    if {name: tensor.shape for name, tensor in network.state_dict().items()} != {
        name: tensor.shape for name, tensor in weights.items()
    }:
        raise RuntimeError("the weights do not fit the network")
    network.to_empty(device="cpu")
