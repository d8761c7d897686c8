"""Songs that a caller of the library gives as open files."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator
from typing import BinaryIO

from ..errors import AudioError, UsageError, VocalsepError
from ..system.atomic_files import output_error, temporary_folder

# Open files are copied in blocks of so many bytes.
BLOCK_BYTES = 1 << 16


@contextlib.contextmanager
def path_of_song(song: str | os.PathLike[str] | BinaryIO) -> Iterator[pathlib.Path]:
    """Give the path of a song, or that of a temporary copy of an open file: decoders need names, and seek."""
    if isinstance(song, (str, os.PathLike)):
        yield pathlib.Path(song)
        return
    if not callable(getattr(song, "read", None)):
        raise UsageError(f"a song is a path or a binary file, not {type(song).__name__}")
    name = getattr(song, "name", "")
    with temporary_folder() as folder:
        copy = folder / (pathlib.PurePath(name).name if isinstance(name, str) else "")
        copy = folder / "song" if copy == folder else copy
        _copy(song, copy)
        try:
            yield copy
        except VocalsepError as error:
            # The caller knows the file by its own name, if it has one.
            if error.path == str(copy):
                error.path = name if isinstance(name, str) and name else None
            raise


def _copy(song: BinaryIO, target: pathlib.Path) -> None:
    try:
        with target.open("wb") as file:
            while data := _read(song):
                file.write(data)
    except OSError as error:
        raise output_error(target.parent, error, "the song cannot be copied to this folder") from None


def _read(song: BinaryIO) -> bytes:
    try:
        data = song.read(BLOCK_BYTES)
    except (OSError, ValueError) as error:
        raise AudioError(f"the file cannot be read ({error})") from None
    if data and not isinstance(data, (bytes, bytearray, memoryview)):
        raise UsageError("the file gives text, not bytes; open it with mode 'rb'")
    return data
