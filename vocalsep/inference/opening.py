"""From a model's name to the backend that computes it."""

from __future__ import annotations

import dataclasses
import importlib.util
import pathlib
import platform
import shutil
from typing import TYPE_CHECKING

from ..dsp.front_end import FrontEndConfig
from ..errors import ModelError, UsageError
from ..model_files import registry
from .backend import Backend

if TYPE_CHECKING:
    from ..model_files.checkpoint import ModelInfo

BACKENDS = ("auto", "torch", "onnx")
PRECISIONS = ("float32", "bfloat16", "float16")


@dataclasses.dataclass(frozen=True)
class Opened:
    """A model, ready to compute.

    Parameters
    ----------
    backend : Backend
    front_end : FrontEndConfig
    path : pathlib.Path
        The file that it came from.
    where : str
        What computes it, in words for the user.
    device : str
    fallback : str
        What the user should know of the choice; mostly empty.
    """

    backend: Backend
    front_end: FrontEndConfig
    path: pathlib.Path
    where: str
    device: str
    fallback: str


def open_model(model: str | pathlib.Path, backend: str, device: str, precision: str, threads: int | None) -> Opened:
    """Find a model and open it with the backend that was asked for.

    ``auto`` takes ONNX Runtime where it is installed, the model has been exported (the shipped one is) and no GPU
    is in sight, as it starts without torch and computes no slower; else torch.

    Raises
    ------
    ModelError
        The model is unknown or broken.
    UsageError
        The options make no sense, or do not go together.
    """
    if backend not in BACKENDS:
        raise UsageError(f"unknown backend {backend!r}; choose {', '.join(BACKENDS)}")
    if precision not in PRECISIONS:
        raise UsageError(f"unknown precision {precision!r}; choose {', '.join(PRECISIONS)}")
    if threads is not None and threads < 1:
        raise UsageError(f"threads must be at least 1, not {threads}")
    path = registry.find(model)
    exported = registry.exported(path)
    if backend == "auto":
        backend = "onnx" if _prefers_onnx(path, exported, device, precision) else "torch"
    if backend == "torch":
        return _by_torch(path, device, precision, threads)
    if exported is None:
        raise UsageError(f"{model} has no ONNX file; `vocalsep export` makes one")
    if device not in ("auto", "cpu") or precision != "float32":
        raise UsageError("the onnx backend computes on the CPU in float32; --backend torch has other devices")
    return _by_onnx(exported, threads)


def model_info(path: pathlib.Path) -> ModelInfo:
    """Read what a model file says of itself, whichever kind it is; raises ModelError, or UsageError as `open_model`."""
    from ..model_files.checkpoint import read_info, understood

    if path.suffix != registry.EXPORTED_SUFFIX:
        return read_info(path)
    from .onnx_backend import load_onnx

    said = load_onnx(path, 1).said
    try:
        return understood(said, said["parameters"])
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def _prefers_onnx(path: pathlib.Path, exported: pathlib.Path | None, device: str, precision: str) -> bool:
    if path == exported:
        return True
    if exported is None or precision != "float32" or importlib.util.find_spec("onnxruntime") is None:
        return False
    return device == "cpu" or (device == "auto" and not _gpu_in_sight())


def _gpu_in_sight() -> bool:
    # Asking torch would mean importing it.
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    return apple or shutil.which("nvidia-smi") is not None


def _by_torch(path: pathlib.Path, device: str, precision: str, threads: int | None) -> Opened:
    if path.suffix != registry.SUFFIX:
        raise UsageError(f"{path}: torch computes {registry.SUFFIX} models; --backend onnx takes this one")
    import torch

    from ..model_files.checkpoint import load
    from ..networks.folding import fold
    from .torch_backend import choose_device, torch_backend

    if threads is not None:
        torch.set_num_threads(threads)
    chosen, fallback = choose_device(device)
    network, info = load(path)
    front_end = info.config.front_end
    fold(network)
    backend = torch_backend(network.to(chosen).to_channels_last(), front_end.bins, chosen, precision)
    where = f"on {chosen.type}, {torch.get_num_threads()} threads"
    return Opened(backend, front_end, path, where, chosen.type, fallback)


def _by_onnx(path: pathlib.Path, threads: int | None) -> Opened:
    from .onnx_backend import load_onnx

    opened = load_onnx(path, threads)
    where = f"by ONNX Runtime, {opened.threads} threads"
    return Opened(opened.backend, opened.front_end, path, where, "cpu", "")
