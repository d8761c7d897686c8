"""Folders that one process at a time may use."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import sys
from collections.abc import Iterator

from ..errors import UsageError


@contextlib.contextmanager
def lock_folder(folder: pathlib.Path, hint: str) -> Iterator[None]:
    """Lock a folder for this process; it is created if it is missing. The system unlocks it when the process ends.

    On Windows, and on file systems without locks, nothing is locked.

    Parameters
    ----------
    folder : pathlib.Path
    hint : str
        What the user can do if another process has locked it.

    Raises
    ------
    UsageError
        Another process has locked it.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        # Whoever uses the folder next reports what is wrong with it, and more precisely.
        yield
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise UsageError("another vocalsep is at work in this folder", path=folder, hint=hint) from None
        yield
    finally:
        os.close(descriptor)
