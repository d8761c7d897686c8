"""Songs and outputs that are not on this machine: object stores and other file systems, by URL, through fsspec."""

from __future__ import annotations

import pathlib
import secrets
import urllib.parse
from typing import Any

from ..audio.formats import SONG_SUFFIXES
from ..errors import AudioError, OutputError, UsageError

# Here a file appears when it is whole anyway.
OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "adl", "memory")

DOWNLOAD = (
    "vocalsep takes files on this machine: download it first (a file with a browser or curl, a video with yt-dlp), "
    "then name the file"
)


def is_remote(named: str) -> bool:
    """Whether a name is a URL such as ``s3://bucket/songs``."""
    return "://" in named


def is_web(named: str) -> bool:
    """Whether a name is an address of the web."""
    return named.lower().startswith(("http://", "https://", "www."))


def find(url: str, recursive: bool) -> list[tuple[str, str]]:
    """Return the songs that a URL of a file or a folder names, with the folder below it that each is in.

    Raises
    ------
    AudioError
        Nothing is there, or it cannot be reached, or it is a page of the web.
    UsageError
        The protocol is unknown, or its driver is not installed.
    """
    if is_web(url):
        return [(url, "")] if _is_web_file(url) else []
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


def file_name(url: str) -> str:
    """Return the name of the file that a URL names."""
    if is_web(url):
        url = urllib.parse.unquote(urllib.parse.urlsplit(url).path)
    return url.rsplit("/", 1)[-1]


def _is_web_file(url: str) -> bool:
    """Whether an address names a song's file; raises AudioError for a page, and where nothing is there."""
    if pathlib.PurePosixPath(file_name(url)).suffix.lower() not in SONG_SUFFIXES:
        raise AudioError(f"is a web address; {DOWNLOAD}")
    try:
        system, path = _system(url)
        there = bool(system.isfile(path))
    except Exception as error:
        raise AudioError(_why("cannot be fetched", error) + f"; {DOWNLOAD}") from None
    if not there:
        raise AudioError(f"cannot be fetched; {DOWNLOAD}")
    return True


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
