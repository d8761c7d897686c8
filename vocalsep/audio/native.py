"""Paths as C libraries take them."""

from __future__ import annotations

import os
import pathlib


def native(path: pathlib.Path) -> bytes | str:
    """Return a path that C libraries open as it is, also where the name is no valid text."""
    return os.fsencode(path) if os.name == "posix" else str(path)
