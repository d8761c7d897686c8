"""Complete files that libsndfile wrote: set channel masks, and remove what differs from run to run."""

from __future__ import annotations

import functools
import io
import pathlib
import struct
from typing import BinaryIO

EXTENSIBLE = 0xFFFE
# Any number is valid, as the file holds one stream.
SERIAL = 1
PAGE_HEAD = 27
# CRC polynomial of Ogg pages, highest power first.
POLYNOMIAL = 0x04C11DB7


def finish_wave(path: pathlib.Path, mask: int) -> None:
    """Write the channel mask of a WAVE file with more than two channels, and clear the time stamp of its PEAK chunk.

    Parameters
    ----------
    path : pathlib.Path
        A finished file of libsndfile.
    mask : int
        One bit for each speaker.
    """
    with path.open("r+b") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            offset = file.tell()
            if name == b"data":
                return
            if name == b"fmt " and struct.unpack("<H", file.read(2))[0] == EXTENSIBLE:
                file.seek(offset + 20)
                file.write(struct.pack("<I", mask))
            elif name == b"PEAK":
                file.seek(offset + 4)
                file.write(bytes(4))
            file.seek(offset + size + size % 2)


def finish_ogg(path: pathlib.Path) -> None:
    """Replace the random serial number of an Ogg file with one stream by a constant."""
    with path.open("r+b") as file:
        while _renumber_page(file):
            pass


def _renumber_page(file: BinaryIO) -> bool:
    """Renumber the page at the file's position and move to the next; return False at the end."""
    offset = file.tell()
    head = file.read(PAGE_HEAD)
    if len(head) < PAGE_HEAD:
        return False
    size = PAGE_HEAD + head[-1] + sum(file.read(head[-1]))
    serial, number, checksum = struct.unpack_from("<III", head, 14)
    # CRCs are linear: the change is the CRC of the changed bits, followed by zeros up to the end of the page.
    changed = int.from_bytes(struct.pack("<I", serial ^ SERIAL), "big")
    checksum ^= _times(changed, _power(8 * (size - 18) + 32))
    file.seek(offset + 14)
    file.write(struct.pack("<III", SERIAL, number, checksum))
    file.seek(offset + size, io.SEEK_SET)
    return True


@functools.lru_cache(maxsize=1024)
def _power(exponent: int) -> int:
    """Return x to a power, modulo the polynomial."""
    result, square = 1, 2
    while exponent:
        if exponent & 1:
            result = _times(result, square)
        square = _times(square, square)
        exponent >>= 1
    return result


def _times(first: int, second: int) -> int:
    """Multiply two polynomials with coefficients 0 and 1, modulo the polynomial."""
    product = 0
    while second:
        if second & 1:
            product ^= first
        first = first << 1 ^ (POLYNOMIAL | 1 << 32 if first >> 31 else 0)
        second >>= 1
    return product
