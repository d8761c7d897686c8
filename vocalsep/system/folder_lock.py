"""Folders that one program at a time works in."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
from collections.abc import Iterator

from ..errors import UsageError


@contextlib.contextmanager
def lock_folder(folder: pathlib.Path, otherwise: str) -> Iterator[None]:
    """Keep a folder, which is made if it is missing, to this process; the system lets go of it whenever that ends.

    Where a file system cannot do that, and on Windows, nothing is kept.

    Parameters
    ----------
    folder : pathlib.Path
    otherwise : str
        What to do if another process has it.

    Raises
    ------
    UsageError
        Another process has it.
    """
    if os.name != "posix":
        yield
        return
    import fcntl

    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        # Whoever goes on to use it says better what is wrong with it.
        yield
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise UsageError(f"another vocalsep is at work in {folder}; {otherwise}") from None
        yield
    finally:
        os.close(descriptor)
