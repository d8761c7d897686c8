"""Songs and outputs that are not on this machine: object stores and other file systems, by URL, through fsspec."""

from __future__ import annotations

import pathlib
import secrets
from typing import Any

from .audio.formats import SONG_SUFFIXES
from .errors import AudioError, OutputError, UsageError

# Here a file appears when it is whole anyway.
OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "adl", "memory")


def is_remote(named: str) -> bool:
    """Whether a name is a URL such as ``s3://bucket/songs``."""
    return "://" in named


def find(url: str, recursive: bool) -> list[tuple[str, str]]:
    """Return the songs that a URL of a file or a folder names, with the folder below it that each is in.

    Raises
    ------
    AudioError
        Nothing is there, or it cannot be reached.
    UsageError
        The protocol is unknown, or its driver is not installed.
    """
    system, path = _system(url)
    try:
        if system.isfile(path):
            return [(url, "")]
        found = system.find(path, maxdepth=None if recursive else 1)
    except Exception as error:
        raise AudioError(_why("cannot be read", error)) from None
    root = str(path).rstrip("/")
    songs = []
    for name in sorted(found):
        inside = pathlib.PurePosixPath(str(name)[len(root) :].lstrip("/"))
        hidden = any(part.startswith(".") for part in inside.parts)
        if inside.suffix.lower() in SONG_SUFFIXES and not hidden:
            folder = inside.parent.as_posix()
            songs.append((f"{url.rstrip('/')}/{inside.as_posix()}", "" if folder == "." else folder))
    return songs


def exists(url: str) -> bool:
    """Whether a file is there; raises OutputError where that cannot be told, and UsageError as `find`."""
    system, path = _system(url)
    try:
        return bool(system.exists(path))
    except Exception as error:
        raise OutputError(f"{url}: {_why('cannot be looked for', error)}") from None


def fetch(url: str, target: pathlib.Path) -> None:
    """Copy a file to this machine; raises AudioError, or UsageError as `find`."""
    system, path = _system(url)
    try:
        system.get_file(path, str(target))
    except Exception as error:
        raise AudioError(_why("cannot be fetched", error)) from None


def store(source: pathlib.Path, url: str) -> None:
    """Copy a file to where a URL says, whole or not at all; raises OutputError, or UsageError as `find`."""
    system, path = _system(url)
    try:
        if url.split("://", 1)[0] in OBJECT_STORES:
            system.put_file(str(source), path)
            return
        folder, _, name = str(path).rpartition("/")
        system.makedirs(folder, exist_ok=True)
        pending = f"{folder}/.vocalsep-{secrets.token_hex(6)}-{name}"
        try:
            system.put_file(str(source), pending)
            system.mv(pending, path)
        finally:
            if system.exists(pending):
                system.rm_file(pending)
    except Exception as error:
        raise OutputError(f"{url}: {_why('cannot be written', error)}") from None


def _system(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError:
        raise UsageError(f"{url}: URLs need an extra: pip install 'vocalsep[remote]'") from None
    try:
        system, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{url}: {' '.join(str(error).split())}") from None
    return system, path


def _why(what: str, error: Exception) -> str:
    return f"{what} ({' '.join(str(error).split()) or type(error).__name__})"
