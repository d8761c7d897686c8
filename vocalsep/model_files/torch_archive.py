"""Read PyTorch checkpoints without running anything that is in them, and without torch.

A checkpoint is a zip archive: a pickle (``data.pkl``) of dictionaries, numbers, texts and descriptions of tensors, and
one member for the values of each storage. A pickle can name any function and have it called. Here, names of classes
become inert texts, and only the rebuilding of tensors and of fractions is done, by the functions below.
"""

from __future__ import annotations

import collections
import fractions
import pathlib
import pickle
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from ..errors import ModelError
from ..system.extras import require

# The largest published checkpoints of separators have 1 GB.
LARGEST_FILE = 4 << 30
LARGEST_PICKLE = 64 << 20
MOST_VALUES_NOT_TENSORS = 100_000
DEEPEST = 64
PLAIN = (np.ndarray, str, bool, int, float, fractions.Fraction)
# Values of a storage by the name of its class in torch. Numpy has no bfloat16.
BFLOAT16 = "BFloat16Storage"
STORAGES: dict[str, str] = {
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "DoubleStorage": "<f8",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
    BFLOAT16: "<u2",
}
FRACTION = re.compile(r"-?\d{1,12}(/\d{1,12})?")
DOWNLOAD_AGAIN = "download it again"
NOTHING_WAS_RUN = (
    "nothing of it was run; if you trust it, save its weights alone by torch.save(network.state_dict(), FILE)"
)


class ClassName(str):
    """Dotted name of a class or function that a pickle refers to; nothing of it is imported."""

    __slots__ = ()

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """Raise ModelError: the pickle asks for a call."""
        raise ModelError(
            f"would run {self} of another program",
            hint=NOTHING_WAS_RUN,
        )


def read_torch_file(path: pathlib.Path) -> Any:
    """Read a checkpoint that `torch.save` wrote.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    object
        Dictionaries, lists, tuples, texts, numbers and fractions; `ClassName` for classes, and a numpy array for each
        tensor (float32 for bfloat16).

    Raises
    ------
    ModelError
        The file is missing, damaged, absurdly large, not such a checkpoint, or would run code.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ModelError(f"too large for a checkpoint, which has at most {LARGEST_FILE >> 30} GB")
        with zipfile.ZipFile(path) as archive:
            return _read(archive)
    except FileNotFoundError:
        raise ModelError("no such model file", path=path) from None
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror or error})", path=path) from None
    except ModelError as error:
        raise error.about(path) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        raise ModelError(
            "not a PyTorch checkpoint, or a part of it is missing", path=path, hint=DOWNLOAD_AGAIN
        ) from None
    except MemoryError:
        raise ModelError("too large for this machine's memory", path=path) from None
    except Exception as error:  # A pickle of random bytes raises nearly anything.
        raise ModelError(f"not a checkpoint that can be read without running code ({error})", path=path) from None


def weights_in(checkpoint: Any) -> dict[str, np.ndarray] | None:
    """Return the weights of a checkpoint by name, whether it holds them alone or under a usual key; None without."""
    if not isinstance(checkpoint, dict):
        return None
    for inner in (checkpoint, *(checkpoint.get(key) for key in ("state_dict", "state", "model_state_dict", "model"))):
        if isinstance(inner, dict) and inner:
            arrays = {name: value for name, value in inner.items() if isinstance(value, np.ndarray)}
            if len(arrays) == len(inner) and all(isinstance(name, str) for name in arrays):
                return arrays
    return None


def _read(archive: zipfile.ZipFile) -> Any:
    members = {info.filename: info for info in archive.infolist()}
    for info in members.values():
        # Otherwise a small file could fill the memory.
        if info.compress_type != zipfile.ZIP_STORED:
            raise ModelError("not a PyTorch checkpoint (its values are compressed)")
    pickled = next((name for name in members if name.rsplit("/", 1)[-1] == "data.pkl"), None)
    if pickled is None:
        raise ModelError("not a PyTorch checkpoint (a zip archive of something else)")
    if members[pickled].file_size > LARGEST_PICKLE:
        raise ModelError("not a checkpoint of a separator (its description is too large)")
    folder = pickled.removesuffix("data.pkl")
    order = f"{folder}byteorder"
    if order in members and archive.read(order).strip() != b"little":
        raise ModelError("written on a big-endian machine, which is not supported")
    with archive.open(pickled) as file:
        content = _Unpickler(file, lambda key: archive.read(f"{folder}data/{key}")).load()
    _check_plain(content)
    return content


class _Storage:
    """Values of one or several tensors."""

    def __init__(self, values: np.ndarray, bfloat16: bool):
        self.values = values
        self.bfloat16 = bfloat16


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: Any, read: Callable[[str], bytes]):
        super().__init__(file)
        self._read = read
        self._storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        known: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch", "Size"): _size,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch._utils", "_rebuild_parameter"): _parameter,
            ("fractions", "Fraction"): _fraction,
        }
        return known.get((module, name), ClassName(f"{module}.{name}"))

    def persistent_load(self, pid: Any) -> _Storage:
        kind, storage_class, key, _, count = pid
        name = str(storage_class).rsplit(".", 1)[-1]
        if kind != "storage" or name not in STORAGES or not isinstance(key, str) or not isinstance(count, int):
            raise ModelError(f"holds tensors of an unknown kind ({name})")
        if key not in self._storages:
            try:
                data = self._read(key)
            except KeyError:
                raise ModelError("a part of the checkpoint is missing", hint=DOWNLOAD_AGAIN) from None
            values = np.frombuffer(data, STORAGES[name])
            if values.size != count:
                raise ModelError("the checkpoint is damaged (a tensor has another size)", hint=DOWNLOAD_AGAIN)
            self._storages[key] = _Storage(values, name == BFLOAT16)
        return self._storages[key]


def _size(sides: Any = ()) -> tuple[int, ...]:
    return tuple(int(side) for side in sides)


def _tensor(storage: Any, offset: Any, size: Any, strides: Any, *_: Any) -> np.ndarray:
    sides, steps = _size(size), _size(strides)
    whole = all(type(each) is int and each >= 0 for each in (offset, *sides, *steps))
    if not isinstance(storage, _Storage) or not whole or len(sides) != len(steps):
        raise ModelError("a tensor's description makes no sense")
    last = offset + sum((side - 1) * step for side, step in zip(sides, steps, strict=True))
    count = 1
    for side in sides:
        count *= side
    # A tensor that repeats its values could have any size.
    if count and (last >= storage.values.size or count > storage.values.size):
        raise ModelError("a tensor has more values than the checkpoint", hint=DOWNLOAD_AGAIN)
    item = storage.values.itemsize
    view = np.lib.stride_tricks.as_strided(
        storage.values[offset:] if count else storage.values[:0],
        sides,
        tuple(step * item for step in steps),
        writeable=False,
    )
    if storage.bfloat16:
        return (view.astype("<u4") << 16).view("<f4")
    return np.ascontiguousarray(view).reshape(sides)


def _parameter(data: Any, *_: Any) -> np.ndarray:
    if not isinstance(data, np.ndarray):
        raise ModelError("a parameter is no tensor")
    return data


def _fraction(*parts: Any) -> fractions.Fraction:
    text = "/".join(str(part) for part in parts)
    if not FRACTION.fullmatch(text):
        raise ModelError("a fraction's description makes no sense")
    return fractions.Fraction(text)


def _check_plain(content: Any) -> None:
    """Raise ModelError unless a value consists of tensors, numbers, texts and containers of these, without circles."""
    left = MOST_VALUES_NOT_TENSORS

    def visit(value: Any, depth: int) -> None:
        nonlocal left
        left -= 1
        if depth > DEEPEST or left < 0:
            raise ModelError("not a checkpoint of a separator (its description is too large)")
        if value is None or isinstance(value, PLAIN):
            return
        if isinstance(value, dict):
            for key, inner in value.items():
                visit(key, depth + 1)
                visit(inner, depth + 1)
        elif isinstance(value, list | tuple):
            for inner in value:
                visit(inner, depth + 1)
        else:
            raise ModelError(f"holds a value of an unknown kind ({type(value).__name__})")

    visit(content, 0)


def read_legacy_torch_file(path: pathlib.Path) -> Any:
    """Read a checkpoint that PyTorch wrote before version 1.6, which is no archive, with torch's own safe reader.

    Raises
    ------
    ModelError
        As `read_torch_file`.
    MissingExtraError
        torch is not installed.
    """
    require("torch", "a checkpoint of an old PyTorch")
    import torch

    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ModelError(f"too large for a checkpoint, which has at most {LARGEST_FILE >> 30} GB", path=path)
        with warnings.catch_warnings():
            # Of a pickle that it will then refuse.
            warnings.filterwarnings("ignore", message="Detected pickle protocol", category=UserWarning)
            content = torch.load(path, "cpu", weights_only=True)
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror or error})", path=path) from None
    except ModelError:
        raise
    except Exception:  # A pickle of random bytes raises nearly anything.
        raise ModelError(
            "not a checkpoint that can be read without running code",
            path=path,
            hint=NOTHING_WAS_RUN,
        ) from None
    return _as_arrays(content)


def _as_arrays(value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach().float().numpy() if value.is_floating_point() else value.numpy()
    if isinstance(value, dict):
        return {key: _as_arrays(each) for key, each in value.items()}
    return [_as_arrays(each) for each in value] if isinstance(value, list | tuple) else value
