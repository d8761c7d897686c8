"""HTTP uploads: streamed to disk, bounded in size and time, and checked to be audio."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import hashlib
import math
import pathlib
import shutil
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from ..audio.decoding import open_source
from ..audio.source import SourceInfo
from ..errors import AudioError
from ..system.atomic_files import DISK_FULL
from ..tags import Tags
from .error_messages import Code, Problem, RequestRefused, problem_of
from .library import MAX_NAME_LENGTH, Library, song_suffix
from .limits import Limits

# How long the body of a refused upload is still read.
DRAIN_S = 20.0


@dataclasses.dataclass(frozen=True)
class Upload:
    """A file that was received, what it says of itself, and its SHA-256 in hexadecimal."""

    path: pathlib.Path
    info: SourceInfo
    content_hash: str


async def receive_upload(
    library: Library,
    limits: Limits,
    name: str,
    content_length: int | None,
    body: AsyncIterator[bytes],
    audio_stream: str = "",
) -> Upload:
    """Write an upload to a temporary file in the library, and check that it can be opened as audio.

    Parameters
    ----------
    library : Library
    limits : Limits
    name : str
        The file's name as its user knows it; its suffix helps to recognise the format.
    content_length : int or None
        Bytes that the request announces.
    body : async iterator of bytes
    audio_stream : str
        The audio stream that will be separated, see `LibrarySong`.

    Returns
    -------
    upload : Upload

    Raises
    ------
    RequestRefused
        The file is too large, empty, cut short, too slow, not audio, or does not fit on the disk. The temporary file
        is removed.
    """
    if content_length is not None:
        if content_length > limits.max_upload_bytes:
            raise limits.too_large
        if content_length > shutil.disk_usage(library.temporary_folder).free:
            raise RequestRefused(Code.DISK_FULL, reason=DISK_FULL)
    try:
        with library.temporary_file(song_suffix(name)) as path:
            digest = hashlib.sha256()
            size = await _write_body(path, limits, body, digest)
            if content_length is not None and size != content_length:
                raise RequestRefused(Code.UPLOAD_CUT_SHORT, received=size, announced=content_length)
            info = await run_in_threadpool(_check_audio, path, limits, audio_stream)
            return Upload(path, info, digest.hexdigest())
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise RequestRefused(Code.DISK_FULL, reason=DISK_FULL) from None
        raise RequestRefused(Code.NOT_WRITTEN, reason="the file cannot be written") from None


@contextlib.asynccontextmanager
async def body_of(request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
    """Open the body of a request; after an error its rest is read and discarded, for `DRAIN_S` at most.

    A client that is still sending would see a broken connection instead of the answer.
    """
    body = request.stream().__aiter__()
    try:
        yield body
    except Exception:
        deadline = time.monotonic() + DRAIN_S
        with contextlib.suppress(StopAsyncIteration, asyncio.TimeoutError, ClientDisconnect):
            while time.monotonic() < deadline:
                await asyncio.wait_for(anext(body), DRAIN_S)
        raise


def open_info(path: pathlib.Path, audio_stream: str) -> SourceInfo:
    """Return what an audio file says of itself.

    Parameters
    ----------
    path : pathlib.Path
    audio_stream : str
        See `LibrarySong`.

    Raises
    ------
    RequestRefused
        The file is not audio, or has no such stream.
    """
    try:
        with open_source(path, stream=audio_stream.strip() or None) as source:
            return source.info
    except AudioError as error:
        problem = problem_of(error)
        if "reason" in problem.values:
            problem = Problem(Code.FILE_UNUSABLE, problem.values)
        raise RequestRefused(problem.code, **problem.values) from None


async def _write_body(path: pathlib.Path, limits: Limits, body: AsyncIterator[bytes], digest: Any) -> int:
    size = 0
    with path.open("wb") as file:
        while True:
            try:
                chunk = await asyncio.wait_for(anext(body), limits.idle_timeout_s)
            except StopAsyncIteration:
                return size
            except asyncio.TimeoutError:
                raise RequestRefused(Code.UPLOAD_STALLED, seconds=f"{limits.idle_timeout_s:g}") from None
            except ClientDisconnect:
                raise RequestRefused(Code.UPLOAD_BROKEN_OFF) from None
            size += len(chunk)
            if size > limits.max_upload_bytes:
                raise limits.too_large
            digest.update(chunk)
            await run_in_threadpool(file.write, chunk)


def _check_audio(path: pathlib.Path, limits: Limits, audio_stream: str) -> SourceInfo:
    info = open_info(path, audio_stream)
    # Where the length is only a guess, the samples are counted while the song is separated.
    if info.duration is not None and math.isfinite(info.length_tolerance_s) and info.duration > limits.max_minutes * 60:
        raise limits.too_long
    return info


def song_fields(tags: Tags, info: SourceInfo) -> dict[str, Any]:
    """Return what a song's record says before the song is separated: title, artist, album, track, cover and length."""
    fields: dict[str, Any] = {
        field: (tags.fields.get(name) or ("",))[0][:MAX_NAME_LENGTH]
        for field, name in (("title", "title"), ("artist", "artist"), ("album", "album"), ("track", "tracknumber"))
    }
    fields["cover"] = bool(tags.pictures)
    if info.samples is not None and math.isfinite(info.length_tolerance_s):
        fields |= {"samples": info.samples, "sample_rate": info.sample_rate}
    return fields


def measured_duration(upload: Upload) -> float:
    """Return a file's length in seconds, and decode it where its headers do not tell; browsers write such recordings.

    Raises
    ------
    AudioError
        It cannot be decoded; the file is deleted.
    """
    info = upload.info
    if info.duration is not None and math.isfinite(info.length_tolerance_s):
        return info.duration
    try:
        with open_source(upload.path) as source:
            for _ in source.blocks():
                pass
            return source.read / info.sample_rate
    except AudioError:
        upload.path.unlink(missing_ok=True)
        raise
