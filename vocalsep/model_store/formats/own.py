"""Models of vocalsep's own, from training or `vocalsep export`."""

from __future__ import annotations

import json

from ...errors import ModelError
from ...inference.opening import model_info
from ...model_files.checkpoint import HEADER_KEY
from ...model_files.onnx_metadata import read_metadata
from .given import Converted, Given
from .safetensors_file import is_safetensors, read_header


def read(given: Given) -> Converted | None:
    """Recognise a model of vocalsep's own; raises ModelError if it is damaged."""
    if is_safetensors(given):
        if HEADER_KEY not in read_header(given.path).get("__metadata__", {}):
            return None
    elif given.path.suffix.lower() == ".onnx":
        try:
            json.loads(read_metadata(given.path)[HEADER_KEY])
        except (ModelError, KeyError, ValueError, RecursionError):
            return None
    else:
        return None
    model_info(given.path)
    return Converted(None)
