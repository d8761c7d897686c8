"""Take files in: streamed to disk, bounded, and looked at before they become songs."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import math
import pathlib
import shutil
import time
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect

from ..audio.decoding import open_source
from ..audio.source import SourceInfo
from ..errors import AudioError
from ..system.atomic_files import DISK_FULL
from .library import Library, suffix_of
from .limits import Limits

# As long as a refused upload is listened to.
LETTING_GO_S = 20.0


class Refused(Exception):
    """An upload that is not taken, with the HTTP status and the sentence that say why."""

    def __init__(self, status: int, why: str):
        super().__init__(why)
        self.status = status
        self.why = why


async def received(
    library: Library,
    limits: Limits,
    name: str,
    announced: int | None,
    body: AsyncIterator[bytes],
    audio_stream: str = "",
) -> pathlib.Path:
    """Write an upload to a temporary file in the library and return it, once it is whole and can be opened as audio.

    Parameters
    ----------
    library : Library
    limits : Limits
    name : str
        As the user has it; its suffix helps to recognise the format.
    announced : int or None
        Bytes that the request announces.
    body : async iterator of bytes
    audio_stream : str
        The audio stream that will be asked of it, see `Song`.

    Raises
    ------
    Refused
        It is too large, empty, cut short, too slow, no audio, or does not fit on the disk. Nothing is left of it.
    """
    most = limits.upload_bytes
    if announced is not None:
        if announced > most:
            await let_go(body)
            raise Refused(413, _too_large(most))
        if announced > shutil.disk_usage(library.scratch).free:
            await let_go(body)
            raise Refused(507, DISK_FULL)
    try:
        with library.making(suffix_of(name)) as path:
            size = await _written(path, limits, body)
            if announced is not None and size != announced:
                raise Refused(400, f"the upload was cut short: {size} of {announced} bytes came")
            await asyncio.to_thread(_looked_at, path, limits, audio_stream)
            return path
    except OSError as error:
        full = error.errno == errno.ENOSPC
        raise Refused(507 if full else 500, DISK_FULL if full else "the file cannot be written") from None


async def let_go(body: AsyncIterator[bytes]) -> None:
    """Read on for a while and forget it: who is still sending does not hear an answer, only a broken connection."""
    until = time.monotonic() + LETTING_GO_S
    with contextlib.suppress(StopAsyncIteration, asyncio.TimeoutError, ClientDisconnect):
        while time.monotonic() < until:
            await asyncio.wait_for(anext(body), LETTING_GO_S)


async def _written(path: pathlib.Path, limits: Limits, body: AsyncIterator[bytes]) -> int:
    size = 0
    with path.open("wb") as file:
        while True:
            try:
                part = await asyncio.wait_for(anext(body), limits.patience_s)
            except StopAsyncIteration:
                return size
            except asyncio.TimeoutError:
                raise Refused(408, f"nothing came for {limits.patience_s:g} seconds") from None
            except ClientDisconnect:
                raise Refused(400, "the upload was broken off") from None
            size += len(part)
            if size > limits.upload_bytes:
                await let_go(body)
                raise Refused(413, _too_large(limits.upload_bytes))
            await asyncio.to_thread(file.write, part)


def check_stream(path: pathlib.Path, audio_stream: str) -> SourceInfo:
    """Return what a file is; raises Refused where it is no audio or has no such stream, see `Song`."""
    try:
        with open_source(path, stream=audio_stream.strip() or None) as source:
            return source.info
    except AudioError as error:
        raise Refused(422, f"this file {error.message}") from None


def _looked_at(path: pathlib.Path, limits: Limits, audio_stream: str) -> None:
    info = check_stream(path, audio_stream)
    # What only guesses its length is measured while it is worked on.
    if info.duration is not None and math.isfinite(info.length_tolerance_s) and info.duration > limits.minutes * 60:
        raise Refused(413, f"this song is longer than {limits.minutes:g} minutes; --max-minutes allows more")


def _too_large(most: int) -> str:
    return f"the file is larger than {most / 1e6:.0f} MB; --max-upload allows more"
