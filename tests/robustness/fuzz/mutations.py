"""Damage to bytes and to trees of values, drawn from a generator: the same seed makes the same damage."""

from __future__ import annotations

import copy
import functools
import random
import re
import struct
from collections.abc import Callable
from typing import Any

HEADER_BYTES = 256
MOST_EDITS = 4
# Names of chunks, boxes and the like: a length stands before or behind them.
NAMED = re.compile(rb"[A-Za-z\xa9][A-Za-z0-9 _]{3}")
EDGES = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 62, 2**64 - 1)
NUMBERS = (0, -1, 1, 2, 3, 2**31, -(2**31), 2**53 + 1, 2**63, -(2**64), 10**30, 0.5, -0.0, 1e-320, 1e308)
ODD_NUMBERS = (float("nan"), float("inf"), float("-inf"))
TEXTS = ("", " ", "vocals", "unet", "../..", "/", "\0", "\n", "\ud800", "é" * 9, "x" * 5000, "%s{0}", "nan", "-1", "🎤")


def damaged(data: bytes, other: bytes, random_: random.Random) -> bytes:
    """Return `data` after one to four edits; `other` lends its bytes for splices.

    Half of the results are edited in their first bytes only, where headers stand.
    """
    work = bytearray(data)
    header_only = random_.random() < 0.5
    for _ in range(random_.randint(1, MOST_EDITS)):
        reach = min(len(work), HEADER_BYTES) if header_only else len(work)
        if reach == 0:
            break
        random_.choice(_HEADER_EDITS if header_only else _EDITS)(work, reach, other, random_)
    return bytes(work)


def flipped(data: bytes, random_: random.Random) -> bytes:
    """Return `data` with up to sixteen bits flipped, and of the same length."""
    work = bytearray(data)
    if work:
        _flip_bits(work, len(work), b"", random_)
    return bytes(work)


def _flip_bits(work: bytearray, reach: int, other: bytes, random_: random.Random) -> None:
    for _ in range(random_.choice((1, 1, 2, 4, 16))):
        work[random_.randrange(reach)] ^= 1 << random_.randrange(8)


def _overwrite(work: bytearray, reach: int, other: bytes, random_: random.Random) -> None:
    at = random_.randrange(reach)
    work[at : at + 4] = random_.randbytes(min(4, len(work) - at))


def _set_number(work: bytearray, reach: int, other: bytes, random_: random.Random) -> None:
    _put(work, random_.randrange(reach), random_)


def _set_length(work: bytearray, reach: int, other: bytes, random_: random.Random) -> None:
    names = [found.start() for found in NAMED.finditer(bytes(work[:reach]))]
    if names:
        _put(work, max(0, random_.choice(names) + random_.choice((-4, 4))), random_)


def _put(work: bytearray, at: int, random_: random.Random) -> None:
    bits, order = random_.choice((8, 16, 32, 32, 64)), random_.choice("<>")
    code = {8: "B", 16: "H", 32: "I", 64: "Q"}[bits]
    here = bytes(work[at : at + bits // 8])
    if len(here) < bits // 8:
        return
    near = struct.unpack(order + code, here)[0] + random_.randint(-8, 8)
    value = random_.choice((near, len(work), random_.choice(EDGES)))
    struct.pack_into(order + code, work, at, value % (1 << bits))


def _truncate(work: bytearray, reach: int, other: bytes, random_: random.Random) -> None:
    del work[random_.randrange(len(work)) :]


def _remove(work: bytearray, reach: int, other: bytes, random_: random.Random) -> None:
    at = random_.randrange(reach)
    del work[at : at + random_.choice((1, 2, 4, 64, 1000))]


def _repeat(work: bytearray, reach: int, other: bytes, random_: random.Random) -> None:
    at = random_.randrange(reach)
    work[at:at] = work[at : at + random_.choice((1, 8, 64, 1000))] * random_.choice((1, 1, 3))


def _splice(work: bytearray, reach: int, other: bytes, random_: random.Random) -> None:
    if other:
        at, start = random_.randrange(reach), random_.randrange(len(other))
        length = random_.choice((4, 32, 300, 2000))
        work[at : at + random_.choice((0, length))] = other[start : start + length]


def _blank(work: bytearray, reach: int, other: bytes, random_: random.Random) -> None:
    at = random_.randrange(reach)
    length = min(random_.choice((4, 32, 400)), len(work) - at)
    work[at : at + length] = bytes((random_.choice((0, 0xFF)),)) * length


_HEADER_EDITS: tuple[Callable[[bytearray, int, bytes, random.Random], None], ...] = (
    _flip_bits,
    _overwrite,
    _set_number,
    _set_number,
    _set_length,
    _set_length,
)
_EDITS = (*_HEADER_EDITS, _truncate, _remove, _repeat, _splice, _blank)


def odd_value(random_: random.Random, depth: int = 2) -> Any:
    """Return any value that JSON or TOML can hold, mostly one that nobody expects."""
    kind = random_.randrange(8 if depth else 6)
    if kind < 3:
        return random_.choice((*NUMBERS, *ODD_NUMBERS))
    if kind == 3:
        return random_.choice(TEXTS)
    if kind == 4:
        return random_.choice((True, False))
    if kind == 5:
        return random_.uniform(-4, 4)
    values = [odd_value(random_, depth - 1) for _ in range(random_.randrange(4))]
    return values if kind == 6 else {random_.choice(TEXTS): value for value in values}


def odd_tree(tree: Any, random_: random.Random) -> Any:
    """Return a copy of nested dictionaries and lists with one to three places changed, removed, doubled or renamed."""
    changed = {"": copy.deepcopy(tree)}
    for _ in range(random_.choice((1, 1, 1, 2, 3))):
        _change_one(changed, random_)
    return changed[""]


def _change_one(tree: dict[str, Any], random_: random.Random) -> None:
    places = list(_places(tree))
    held, key = random_.choice(places)
    how = random_.randrange(6)
    if how == 0 and held is not tree:
        del held[key]
    elif how == 1 and isinstance(held, dict) and held is not tree:
        held[random_.choice(TEXTS)] = held.pop(key)
    elif how == 2:
        there, name = random_.choice(places)
        held[key] = copy.deepcopy(there[name])
    elif how == 3 and isinstance(held[key], int | float):
        held[key] = held[key] * random_.choice((-1, 0, 2, 10, 1000)) + random_.choice((-1, 0, 1))
    else:
        held[key] = odd_value(random_)


def _places(tree: Any) -> Any:
    keys = tree.keys() if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from _places(tree[key])


def with_ogg_checksums(data: bytes) -> bytes:
    """Return Ogg data whose pages have the checksums that their bytes want, so that decoders look further."""
    work = bytearray(data)
    at = work.find(b"OggS")
    while 0 <= at <= len(work) - 27:
        segments = work[at + 27 : at + 27 + work[at + 26]]
        end = min(len(work), at + 27 + len(segments) + sum(segments))
        work[at + 22 : at + 26] = bytes(4)
        checksum = 0
        for byte in work[at:end]:
            checksum = (checksum << 8 & 0xFFFFFFFF) ^ _ogg_table()[checksum >> 24 ^ byte]
        struct.pack_into("<I", work, at + 22, checksum)
        at = work.find(b"OggS", at + 4)
    return bytes(work)


@functools.cache
def _ogg_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        rest = byte << 24
        for _ in range(8):
            rest = (rest << 1 ^ (0x04C11DB7 if rest & 0x80000000 else 0)) & 0xFFFFFFFF
        table.append(rest)
    return tuple(table)
