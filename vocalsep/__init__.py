"""vocalsep: separate a song into vocals and accompaniment."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import (
        AudioError,
        DamagedError,
        DiskFullError,
        LyricsError,
        MissingExtraError,
        ModelError,
        OutputError,
        OutputExistsError,
        UsageError,
        VocalsepError,
    )
    from .separator import Separator, Stems

__version__ = "0.1.0"
__all__ = [
    "AudioError",
    "DamagedError",
    "DiskFullError",
    "LyricsError",
    "MissingExtraError",
    "ModelError",
    "OutputError",
    "OutputExistsError",
    "Separator",
    "Stems",
    "UsageError",
    "VocalsepError",
    "__version__",
]

_HOMES = {"Separator": "separator", "Stems": "separator"}


def __getattr__(name: str) -> Any:
    # torch takes seconds to import: it waits until somebody separates.
    if name.startswith("__") or name not in __all__:
        raise AttributeError(f"module 'vocalsep' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES.get(name, 'errors')}", __name__), name)
