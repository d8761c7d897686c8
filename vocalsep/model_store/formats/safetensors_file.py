"""The safetensors format, without torch."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np

from ...errors import ModelError
from .given import Given

LARGEST_HEADER = 100_000_000


def is_safetensors(given: Given) -> bool:
    """Whether a file begins as safetensors files do: the length of a header, and the header's first character."""
    return 2 <= int.from_bytes(given.start[:8], "little") <= LARGEST_HEADER and given.start[8:9] == b"{"


def read_header(path: pathlib.Path) -> dict[str, Any]:
    """Return the header of a safetensors file; raises ModelError if it is damaged."""
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        metadata = header.get("__metadata__", {}) if isinstance(header, dict) else None
        if isinstance(metadata, dict) and all(isinstance(text, str) for text in metadata.values()):
            return header
    except (OSError, ValueError, RecursionError):
        pass
    raise ModelError("the header of the safetensors file is damaged", path=path, hint="download it again")


def read_weights(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Return the weights of a safetensors file by name; raises ModelError if it is damaged or cut off."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        weights: dict[str, np.ndarray] = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"damaged, or a part is missing ({error})", path=path, hint="download it again") from None
    return weights
