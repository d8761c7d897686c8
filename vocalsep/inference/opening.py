"""Open a model with the backend that computes it."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import TYPE_CHECKING

from ..dsp.front_end import FrontEndConfig
from ..errors import ModelError, UsageError
from ..model_files import registry, store
from ..system.background import run_in_thread
from ..system.extras import require
from .backend import Backend, stem_names
from .devices import BACKENDS, PRECISIONS, choose_device, torch_has_gpu
from .families.table import FAMILIES, FamilyInfo, Runtime, parse_family
from .threads import Threads

if TYPE_CHECKING:
    from ..model_files.checkpoint import ModelInfo
    from ..networks.network import Network


@dataclasses.dataclass(frozen=True)
class Opened:
    """A model, ready to compute.

    Parameters
    ----------
    backend : Backend
    sample_rate : int
        Hz.
    front_end : FrontEndConfig or None
        None for a model of a family, see `families`.
    path : pathlib.Path
        The model's file.
    where : str
        Runtime, device and threads, for the user to read.
    device : str
    fallback : str
        A remark for the user if the device is not the one that was asked for, otherwise empty.
    """

    backend: Backend
    sample_rate: int
    front_end: FrontEndConfig | None
    path: pathlib.Path
    where: str
    device: str
    fallback: str


def open_model(model: str | pathlib.Path, backend: str, device: str, precision: str, threads: int | None) -> Opened:
    """Find a model and open it with a backend.

    ``auto`` is ONNX Runtime if the model has been exported (as the shipped one is) and torch has no GPU: it starts
    faster than torch and computes no slower. Otherwise it is torch.

    Raises
    ------
    ModelError
        The model is unknown or broken.
    UsageError
        An option is unknown, or options contradict each other.
    MissingExtraError
        The model, the device or the precision needs torch, which is not installed.
    """
    if backend not in BACKENDS:
        raise UsageError(f"unknown backend {backend!r}; choose {', '.join(BACKENDS)}")
    if precision not in PRECISIONS:
        raise UsageError(f"unknown precision {precision!r}; choose {', '.join(PRECISIONS)}")
    if threads is not None and threads < 1:
        raise UsageError(f"threads must be at least 1, not {threads}")
    path = registry.find(model)
    if path.suffix not in store.SUFFIXES:
        raise ModelError(f"not a vocalsep model ({', '.join(store.SUFFIXES)})", path=path, hint=store.ADD_HINT)
    info = family_info(path)
    if info is not None:
        return _open_family(path, info, backend, Runtime(device, precision, threads))
    exported = registry.exported(path)
    if backend == "auto":
        backend = "onnx" if _prefers_onnx(path, exported, device, precision) else "torch"
    if backend == "torch":
        require("torch", _torch_feature(exported, device, precision))
        return _open_torch(path, device, precision, threads)
    if exported is None:
        raise UsageError("has no ONNX file", path=model, hint="`vocalsep export` makes one")
    if device not in ("auto", "cpu") or precision != "float32":
        raise UsageError(
            "the onnx backend computes on the CPU in float32; the torch backend has other devices and precisions"
        )
    # What lies beside a shipped model has the checksum that was published.
    return _open_onnx(exported, threads, verified=exported != path)


def model_info(path: pathlib.Path) -> ModelInfo | FamilyInfo:
    """Read the configuration and card of a model file of any kind; raises ModelError, or UsageError as `open_model`."""
    from ..model_files.checkpoint import parse_info, read_info

    family = family_info(path)
    if family is not None:
        return family
    if path.suffix != registry.EXPORTED_SUFFIX:
        return read_info(path)
    from .onnx_backend import load_onnx

    metadata = load_onnx(path, 1).metadata
    try:
        return parse_info(metadata, metadata["parameters"])
    except ModelError as error:
        raise error.about(path) from None


def model_stems(model: str | pathlib.Path) -> tuple[str, ...]:
    """Return the names of a model's stems without opening it; raises ModelError."""
    info = family_info(registry.find(model))
    return stem_names(() if info is None else info.config.shape.instruments)


def family_info(path: pathlib.Path) -> FamilyInfo | None:
    """Return the configuration and card of a model of a family; None for other files, also broken ones.

    Raises
    ------
    ModelError
        The family is unknown, or its configuration is invalid.
    """
    from ..model_files.checkpoint import HEADER_KEY, read_metadata
    from ..model_files.onnx_metadata import read_metadata as read_onnx_metadata

    try:
        if path.suffix == registry.EXPORTED_SUFFIX:
            metadata = json.loads(read_onnx_metadata(path)[HEADER_KEY])
        else:
            metadata, _ = read_metadata(path)
    except (ModelError, KeyError, ValueError, RecursionError):
        return None
    if not isinstance(metadata, dict) or "family" not in metadata:
        return None
    try:
        return parse_family(metadata)
    except ModelError as error:
        raise error.about(path) from None


def _prefers_onnx(path: pathlib.Path, exported: pathlib.Path | None, device: str, precision: str) -> bool:
    if path == exported:
        return True
    if exported is None or precision != "float32":
        return False
    return device == "cpu" or (device == "auto" and not torch_has_gpu())


def _torch_feature(exported: pathlib.Path | None, device: str, precision: str) -> str:
    """Return what torch is needed for, for an error."""
    if exported is None:
        return "a model without an ONNX file"
    if precision != "float32":
        return f"{precision} precision"
    return "the torch backend" if device in ("auto", "cpu") else f"the device {device}"


def _open_torch(path: pathlib.Path, device: str, precision: str, threads: int | None) -> Opened:
    if path.suffix != registry.SUFFIX:
        raise UsageError(f"torch computes {registry.SUFFIX} models; the onnx backend takes this one", path=path)
    import torch

    from ..model_files.checkpoint import load
    from ..networks.folding import fold
    from .torch_backend import torch_backend

    chosen, fallback = choose_device(device)

    def loaded() -> tuple[Network, ModelInfo]:
        network, info = load(path)
        fold(network)
        return network.to(chosen).to_channels_last(), info

    # In a thread that ends, see `torch_threads`.
    network, info = run_in_thread(loaded).result()
    shared = Threads(threads or torch.get_num_threads(), most_calls=1)
    front_end = info.config.front_end
    backend = torch_backend(network, front_end.bins, chosen, precision, shared)
    where = f"on {chosen.type}, {shared.count} threads"
    return Opened(backend, front_end.sample_rate, front_end, path, where, chosen.type, fallback)


def _open_onnx(path: pathlib.Path, threads: int | None, verified: bool) -> Opened:
    from .onnx_backend import load_onnx

    opened = load_onnx(path, threads, verified)
    where = f"by ONNX Runtime, {opened.threads} threads"
    return Opened(opened.backend, opened.front_end.sample_rate, opened.front_end, path, where, "cpu", "")


def _open_family(path: pathlib.Path, info: FamilyInfo, backend: str, runtime: Runtime) -> Opened:
    own = "onnx" if path.suffix == registry.EXPORTED_SUFFIX else "torch"
    if backend not in ("auto", own):
        raise UsageError(f"this model is computed by the {own} backend alone", path=path)
    running = FAMILIES[info.family].load().open_backend(path, info.config, runtime)
    return Opened(running.backend, info.config.sample_rate, None, path, running.where, running.device, running.fallback)
