"""Lyrics in files: LRC or plain text, in the encodings that such files have."""

from __future__ import annotations

import codecs
import dataclasses
import pathlib

from ..errors import LyricsError
from ..system.atomic_files import os_error_text
from .lrc import parse_lrc
from .words import Lyrics

LARGEST_FILE = 4_000_000
BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# Share of zero bytes from which a text is UTF-16: each Latin letter has one.
ZEROS = 0.3


def read_lyrics(path: pathlib.Path) -> Lyrics:
    """Read lyrics from an LRC or a text file.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    Lyrics
        With at least one line that has words.

    Raises
    ------
    LyricsError
        The file cannot be read, or holds no lyrics.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise LyricsError(f"cannot be read: {os_error_text(error)}", path=path) from None
    if len(data) > LARGEST_FILE:
        raise LyricsError(f"has more than {LARGEST_FILE // 10**6} MB: that is no file of lyrics", path=path)
    text, remark = decode_lyrics(data)
    lyrics = parse_lrc(text)
    if "\0" in text:
        raise LyricsError("is no text file", path=path, hint="lyrics are text, such as an .lrc file")
    if not any(line.text for line in lyrics.lines):
        problem = f" ({lyrics.problems[0]})" if lyrics.problems else ""
        raise LyricsError(f"holds no lyrics{problem}", path=path)
    return dataclasses.replace(lyrics, problems=(*([remark] if remark else []), *lyrics.problems))


def decode_lyrics(data: bytes) -> tuple[str, str]:
    """Decode the bytes of a text file: UTF-8, UTF-16, or else Windows-1252.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    text, remark : str
        The remark says that the encoding was a guess; mostly empty.
    """
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace"), ""
    zeros = (data[::2].count(0), data[1::2].count(0))
    if max(zeros) > ZEROS * len(data) / 2 and min(zeros) < max(zeros) / 4:
        return data.decode("utf-16-be" if zeros[0] > zeros[1] else "utf-16-le", "replace"), ""
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError:
        text = "".join(_old_character(byte) for byte in data)
        return text, "is neither UTF-8 nor UTF-16: read as Windows-1252"


def _old_character(byte: int) -> str:
    """Return a character of Windows-1252, or of Latin-1 for the five bytes that it lacks."""
    return bytes([byte]).decode("cp1252", "ignore") or chr(byte)
