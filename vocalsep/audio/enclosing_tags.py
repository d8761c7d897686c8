"""Where the sound of a file begins and ends: behind leading tags and zeros, and before trailing tags."""

from __future__ import annotations

from typing import BinaryIO

SEARCHED_BYTES = 1 << 16
FIRST_BYTES = (
    *(b"RIFF", b"RF64", b"riff", b"FORM", b"OggS", b"fLaC"),
    *(b".snd", b"caff", b"ID3", b"TTA1", b"wvpk", b"MAC "),
)
ID3V1, ID3V1_EXTENDED, APE_FOOTER = 128, 227, 32


def is_mpeg(head: bytes) -> bool:
    """Return whether a file begins with a frame of MPEG audio."""
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0


def leading_tags_end(file: BinaryIO, stop: int) -> int:
    """Return the offset of what follows the leading ID3v2 tags, APE tags and zeros."""
    offset = 0
    while True:
        file.seek(offset)
        head = file.read(APE_FOOTER)
        size = 0
        if head.startswith(b"ID3") and len(head) > 10 and all(byte < 0x80 for byte in head[6:10]):
            size = 10 + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
            size += 10 if head[5] & 0x10 else 0
        elif head.startswith(b"APETAGEX") and len(head) == APE_FOOTER:
            size = APE_FOOTER + int.from_bytes(head[12:16], "little")
        elif head == bytes(APE_FOOTER):
            size = _zeros(file, offset, stop)
        if size == 0 or offset + size >= stop:
            return offset
        offset += size


def _zeros(file: BinaryIO, offset: int, stop: int) -> int:
    """Count the zeros before a file that is known by its first bytes; 0 before others, which may begin with zeros."""
    end = offset
    while end < stop:
        file.seek(end)
        data = file.read(SEARCHED_BYTES)
        rest = data.lstrip(b"\0")
        end += len(data) - len(rest)
        if rest:
            file.seek(end)
            head = file.read(12)
            return end - offset if head.startswith(FIRST_BYTES) or is_mpeg(head) else 0
        if not data:
            break
    return 0


def trailing_tags_start(file: BinaryIO, start: int, stop: int) -> int:
    """Return the offset of the first trailing tag: ID3v1, APE, Lyrics3, in any order and number; else `stop`."""
    while True:
        before = stop
        file.seek(max(start, stop - ID3V1_EXTENDED - ID3V1))
        tail = file.read(min(ID3V1_EXTENDED + ID3V1, stop - start))
        ape = tail[-APE_FOOTER:]
        if tail[-ID3V1:].startswith(b"TAG"):
            stop -= ID3V1 + (ID3V1_EXTENDED if tail.startswith(b"TAG+") else 0)
        elif ape.startswith(b"APETAGEX"):
            header = APE_FOOTER if int.from_bytes(ape[20:24], "little") & 1 << 31 else 0
            stop -= int.from_bytes(ape[12:16], "little") + header
        elif tail.endswith(b"LYRICS200") and tail[-15:-9].isdigit():
            stop -= int(tail[-15:-9]) + 15
        elif tail.endswith(b"LYRICSEND"):
            file.seek(max(start, stop - 5200))
            begin = file.read(5200).rfind(b"LYRICSBEGIN", 0, stop - max(start, stop - 5200))
            stop = max(start, stop - 5200) + begin if begin >= 0 else stop
        if stop == before:
            return stop
        if stop <= start:
            return before
