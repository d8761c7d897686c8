"""Files in folders, through links too."""

from __future__ import annotations

import collections
import os
import pathlib


def files_in(folder: pathlib.Path, recursive: bool = True) -> list[pathlib.Path]:
    """Return the files in a folder, sorted; what is hidden is left out, and what cannot be listed.

    Links to folders are followed, but not to a folder that they lie in. Beyond a link, further ones are followed only
    to folders that have not been seen, so that links across each other come to an end.

    Parameters
    ----------
    folder : pathlib.Path
    recursive : bool
        Look into subfolders too.
    """
    seen: set[str] = set()
    found: list[pathlib.Path] = []
    # Folders to walk through, and how many links lead there.
    waiting = collections.deque([(folder, 0)])
    while waiting:
        top, links = waiting.popleft()
        if links > 1 and os.path.realpath(top) in seen:
            continue
        for place, folders, names in os.walk(top):
            here = os.path.realpath(place)
            seen.add(here)
            found += [pathlib.Path(place, name) for name in names if not name.startswith(".")]
            folders[:] = [name for name in folders if recursive and not name.startswith(".")]
            for name in folders:
                path = pathlib.Path(place, name)
                if path.is_symlink() and not _holds(os.path.realpath(path), here):
                    waiting.append((path, links + 1))
    return sorted(found)


def _holds(folder: str, inner: str) -> bool:
    return inner == folder or inner.startswith(folder.rstrip(os.sep) + os.sep)
