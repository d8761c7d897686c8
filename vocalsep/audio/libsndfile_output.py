"""What libsndfile leaves to do in finished files: channel masks, and what differs from run to run."""

from __future__ import annotations

import functools
import io
import pathlib
import struct
from typing import BinaryIO

EXTENSIBLE = 0xFFFE
# Any number will do, as a file holds one stream.
SERIAL = 1
PAGE_HEAD = 27
# Of the checksum of Ogg pages; the first bit stands for the highest power.
POLYNOMIAL = 0x04C11DB7


def finish_wave(path: pathlib.Path, mask: int) -> None:
    """Write the channel mask of a WAVE file with more than two channels, and no time of day.

    Parameters
    ----------
    path : pathlib.Path
        As libsndfile wrote it.
    mask : int
        Bits of its speakers.
    """
    with path.open("r+b") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            at = file.tell()
            if name == b"data":
                return
            if name == b"fmt " and struct.unpack("<H", file.read(2))[0] == EXTENSIBLE:
                file.seek(at + 20)
                file.write(struct.pack("<I", mask))
            elif name == b"PEAK":
                file.seek(at + 4)
                file.write(bytes(4))
            file.seek(at + size + size % 2)


def finish_ogg(path: pathlib.Path) -> None:
    """Give an Ogg file of one stream the same serial number each time."""
    with path.open("r+b") as file:
        while _renumber_page(file):
            pass


def _renumber_page(file: BinaryIO) -> bool:
    """Renumber the page at the file's place and go on to the next; False at the end."""
    at = file.tell()
    head = file.read(PAGE_HEAD)
    if len(head) < PAGE_HEAD:
        return False
    size = PAGE_HEAD + head[-1] + sum(file.read(head[-1]))
    serial, number, checksum = struct.unpack_from("<III", head, 14)
    # Checksums are linear: what changes them is that of the changed bits alone, with zeros up to the page's end.
    changed = int.from_bytes(struct.pack("<I", serial ^ SERIAL), "big")
    checksum ^= _times(changed, _power(8 * (size - 18) + 32))
    file.seek(at + 14)
    file.write(struct.pack("<III", SERIAL, number, checksum))
    file.seek(at + size, io.SEEK_SET)
    return True


@functools.lru_cache(maxsize=1024)
def _power(exponent: int) -> int:
    """Return x to a power, modulo the polynomial."""
    found, square = 1, 2
    while exponent:
        if exponent & 1:
            found = _times(found, square)
        square = _times(square, square)
        exponent >>= 1
    return found


def _times(one: int, other: int) -> int:
    """Multiply two polynomials with coefficients 0 and 1, modulo the polynomial."""
    found = 0
    while other:
        if other & 1:
            found ^= one
        one = one << 1 ^ (POLYNOMIAL | 1 << 32 if one >> 31 else 0)
        other >>= 1
    return found
