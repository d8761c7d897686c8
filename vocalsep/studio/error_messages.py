"""Errors as the studio's visitors read them."""

from __future__ import annotations

import errno
import os

from ..errors import AudioError, DamagedError, DiskFullError, OutputError, VocalsepError
from ..system.atomic_files import os_error_text


def write_error(message: str, error: OSError) -> OutputError:
    """Return the OutputError, or DiskFullError, for something that could not be written.

    Parameters
    ----------
    message : str
        What could not be written, as a clause.
    error : OSError
        What the system reported.
    """
    kind = DiskFullError if error.errno == errno.ENOSPC else OutputError
    return kind(f"{message}: {os_error_text(error)}")


def visitor_message(error: VocalsepError) -> str:
    """Return an error's text for a visitor, in one line.

    Errors about audio leave out the path, which is the library's copy of the visitor's file; others name the file
    without its folder. Hints on how to decode damaged files are for callers of the library, and left out too.
    """
    text = str(error)
    if error.path is not None and os.path.isabs(error.path):
        text = f"{os.path.basename(error.path)}: {error.message}"
    if isinstance(error, AudioError):
        text = error.reason if isinstance(error, DamagedError) else error.message
    return " ".join(text.split())
