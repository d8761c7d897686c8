"""Inputs and outputs that are not on this machine: object stores and other file systems, by URL, through fsspec."""

from __future__ import annotations

import pathlib
import secrets
import urllib.parse
from typing import Any

from ..audio.formats import SONG_SUFFIXES
from ..errors import AudioError, OutputError, UsageError
from ..system.extras import is_installed, require

# Object stores show a file only when it is complete.
OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "adl", "memory")

DOWNLOAD_HINT = (
    "vocalsep takes files on this machine: download it first (a file with a browser or curl, a video with yt-dlp), "
    "then name the file"
)


def is_remote(name: str) -> bool:
    """Whether a name is a URL such as ``s3://bucket/songs``."""
    return "://" in name


def is_web(name: str) -> bool:
    """Whether a name is a web address."""
    return name.lower().startswith(("http://", "https://", "www."))


def list_audio_files(url: str, recursive: bool) -> list[tuple[str, str]]:
    """Return the URLs of the audio files at the URL of a file or folder, each with its folder relative to that.

    Raises
    ------
    AudioError
        There is nothing, it cannot be reached, or it is a web page.
    UsageError
        The protocol is unknown, or its driver is not installed.
    """
    if is_web(url):
        _check_web_file(url)
        return [(url, "")]
    system, path = _open_file_system(url)
    try:
        if system.isfile(path):
            return [(url, "")]
        names = system.find(path, maxdepth=None if recursive else 1)
    except Exception as error:
        raise AudioError(_describe("cannot be read", error), path=url) from None
    root = str(path).rstrip("/")
    files = []
    for name in sorted(names):
        relative = pathlib.PurePosixPath(str(name)[len(root) :].lstrip("/"))
        hidden = any(part.startswith(".") for part in relative.parts)
        if relative.suffix.lower() in SONG_SUFFIXES and not hidden:
            folder = relative.parent.as_posix()
            files.append((f"{url.rstrip('/')}/{relative.as_posix()}", "" if folder == "." else folder))
    return files


def file_name(url: str) -> str:
    """Return the name of the file at a URL."""
    if is_web(url):
        url = urllib.parse.unquote(urllib.parse.urlsplit(url).path)
    return url.rsplit("/", 1)[-1]


def exists(url: str) -> bool:
    """Whether a file exists; raises OutputError where that cannot be found out, and UsageError."""
    system, path = _open_file_system(url)
    try:
        return bool(system.exists(path))
    except Exception as error:
        raise OutputError(_describe("cannot be looked for", error), path=url) from None


def download(url: str, target: pathlib.Path) -> None:
    """Copy a file to this machine; raises AudioError, or UsageError as `list_audio_files`."""
    system, path = _open_file_system(url)
    try:
        system.get_file(path, str(target))
    except Exception as error:
        raise AudioError(_describe("cannot be fetched", error), path=url) from None


def upload(source: pathlib.Path, url: str) -> None:
    """Copy a file to a URL, completely or not at all; raises OutputError, or UsageError as `list_audio_files`."""
    system, path = _open_file_system(url)
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
        raise OutputError(_describe("cannot be written", error), path=url) from None


def _check_web_file(url: str) -> None:
    """Raise AudioError unless a web address is that of an audio file."""
    if pathlib.PurePosixPath(file_name(url)).suffix.lower() not in SONG_SUFFIXES:
        raise AudioError("is a web address", path=url, hint=DOWNLOAD_HINT)
    try:
        system, path = _open_file_system(url)
        is_file = bool(system.isfile(path))
    except Exception as error:
        raise AudioError(_describe("cannot be fetched", error), path=url, hint=DOWNLOAD_HINT) from None
    if not is_file:
        raise AudioError("cannot be fetched", path=url, hint=DOWNLOAD_HINT)


def _open_file_system(url: str) -> tuple[Any, str]:
    if not is_installed("fsspec"):
        require("remote", "a URL")
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        require("remote", "this kind of URL")
        raise UsageError(" ".join(str(error).split()), path=url) from None
    except ValueError as error:
        raise UsageError(" ".join(str(error).split()), path=url) from None
    return system, path


def _describe(failure: str, error: Exception) -> str:
    return f"{failure} ({' '.join(str(error).split()) or type(error).__name__})"
