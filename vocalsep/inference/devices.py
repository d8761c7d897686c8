"""Devices, backends and precisions to compute networks with. Importing this module does not import torch."""

from __future__ import annotations

import enum
import importlib.util
import pathlib
import platform
import re
import shutil
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..system.extras import is_installed

if TYPE_CHECKING:
    import torch


class Device(str, enum.Enum):
    """Where the network runs."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


class BackendName(str, enum.Enum):
    """What computes the network."""

    AUTO = "auto"
    TORCH = "torch"
    ONNX = "onnx"


class Precision(str, enum.Enum):
    """How exactly the network's products are computed, by the names of torch's dtypes."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


DEVICES = tuple(device.value for device in Device)
BACKENDS = tuple(backend.value for backend in BackendName)
PRECISIONS = tuple(precision.value for precision in Precision)


def choose_device(device: str) -> tuple[torch.device, str]:
    """Choose the device for training or inference.

    ``auto`` is the first of CUDA, MPS and CPU that is available. A device that is asked for by name but not available
    is replaced by the CPU, which the remark says.

    Returns
    -------
    device : torch.device
    remark : str
        A message for the user if another device was chosen, otherwise empty.

    Raises
    ------
    UsageError
        The name is unknown.
    """
    import torch

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device not in DEVICES:
        raise UsageError(f"unknown device {device!r}; choose {', '.join(DEVICES)}")
    if device == "auto":
        return torch.device(next(name for name in available if available[name])), ""
    if not available[device]:
        return torch.device("cpu"), f"{device} is not available here; using the cpu"
    return torch.device(device), ""


def torch_has_gpu() -> bool:
    """Return whether torch can probably use a GPU here, without the seconds that importing torch takes."""
    if not is_installed("torch"):
        return False
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    return shutil.which("nvidia-smi") is not None and _is_cuda_build()


def _is_cuda_build() -> bool:
    """Return whether the installed torch was built for CUDA, as its ``version.py`` says."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    try:
        text = (pathlib.Path(spec.origin).parent / "version.py").read_text("utf-8")
    except OSError:
        # A build without this file may be for any device.
        return True
    cuda = re.search(r"^cuda\s*(?::[^=]*)?=\s*(.+?)\s*$", text, re.MULTILINE)
    return cuda is None or cuda[1] != "None"
