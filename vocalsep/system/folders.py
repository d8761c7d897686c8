"""List files in folders, through links too."""

from __future__ import annotations

import collections
import os
import pathlib


def files_in(folder: pathlib.Path, recursive: bool = True) -> list[pathlib.Path]:
    """Return the files in a folder, sorted, without hidden files and what cannot be listed.

    Links to folders are followed, but not to a folder that contains the link. Links below a linked folder are followed
    only to folders that have not been listed, so that links across each other come to an end.

    Parameters
    ----------
    folder : pathlib.Path
    recursive : bool
        List subfolders too.
    """
    listed: set[str] = set()
    files: list[pathlib.Path] = []
    # Folders to walk through, and how many links lead there.
    waiting = collections.deque([(folder, 0)])
    while waiting:
        top, links = waiting.popleft()
        if links > 1 and os.path.realpath(top) in listed:
            continue
        for parent, folders, names in os.walk(top):
            real_parent = os.path.realpath(parent)
            listed.add(real_parent)
            files += [pathlib.Path(parent, name) for name in names if not name.startswith(".")]
            folders[:] = [name for name in folders if recursive and not name.startswith(".")]
            for name in folders:
                path = pathlib.Path(parent, name)
                if path.is_symlink() and not _contains(os.path.realpath(path), real_parent):
                    waiting.append((path, links + 1))
    return sorted(files)


def _contains(folder: str, inner: str) -> bool:
    return inner == folder or inner.startswith(folder.rstrip(os.sep) + os.sep)
