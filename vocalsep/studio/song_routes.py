"""Routes of the HTTP interface for songs and the queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import fastapi
from fastapi import HTTPException, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from .. import __version__
from ..audio.formats import SONG_SUFFIXES
from .context import PROBLEM_RESPONSES, CurrentStudio, RequestedSong, Studio
from .events import format_event
from .uploads import drain, open_info, receive_upload
from .worker import QueueFull

router = fastapi.APIRouter(responses=PROBLEM_RESPONSES)

AudioStream = Annotated[
    str,
    Query(
        max_length=20, description="Of a file with several: a number from 1, or a language's code; else the default."
    ),
]
# FastAPI cannot infer from the code that the body is the bytes of a file.
FILE_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/info")
def get_info(studio: CurrentStudio) -> dict[str, Any]:
    """Return versions, the model and the limits of uploads."""
    return {
        "vocalsep": __version__,
        "model": studio.model,
        "max_upload_bytes": studio.limits.max_upload_bytes,
        "max_minutes": studio.limits.max_minutes,
        "suffixes": sorted(SONG_SUFFIXES),
    }


@router.get("/songs")
def list_songs(studio: CurrentStudio) -> list[dict[str, Any]]:
    """Return all songs, the newest first."""
    return [studio.describe(song) for song in studio.library.songs()]


@router.post("/songs", status_code=201, openapi_extra=FILE_BODY)
async def upload_song(
    request: Request,
    studio: CurrentStudio,
    name: Annotated[str, Query(max_length=1000, description="The file's name.")] = "song",
    audio_stream: AudioStream = "",
) -> dict[str, Any]:
    """Add the file in the request's body to the library and to the queue."""
    body = request.stream().__aiter__()
    try:
        studio.worker.check_room()
    except QueueFull:
        await drain(body)
        raise
    header = request.headers.get("content-length")
    content_length = int(header) if header is not None and header.isdecimal() else None
    path = await receive_upload(studio.library, studio.limits, name, content_length, body, audio_stream)
    return studio.describe(await run_in_threadpool(studio.worker.enqueue, path, name, audio_stream))


@router.get("/songs/{song_id}")
def get_song(song: RequestedSong, studio: CurrentStudio) -> dict[str, Any]:
    """Return one song."""
    return studio.describe(song)


@router.delete("/songs/{song_id}", status_code=204)
def delete_song(song: RequestedSong, studio: CurrentStudio) -> None:
    """Delete a song with its stems."""
    studio.worker.remove(song)
    studio.events.publish("gone", {"id": song.id})


@router.post("/songs/{song_id}/cancel")
def cancel_song(song: RequestedSong, studio: CurrentStudio) -> dict[str, Any]:
    """Remove a song from the queue, or stop its separation."""
    return studio.describe(studio.worker.cancel(song))


@router.post("/songs/{song_id}/restart")
def restart_song(song: RequestedSong, studio: CurrentStudio, audio_stream: AudioStream | None = None) -> dict[str, Any]:
    """Put a song that failed, was cancelled or was interrupted into the queue again.

    With `audio_stream` also one that is done, to separate another of its audio streams.
    """
    if audio_stream is not None:
        open_info(studio.library.original(song), audio_stream)
    restarted = studio.worker.restart(song, audio_stream)
    if restarted is None:
        raise HTTPException(409, f"this song is {studio.get_song(song.id).state}; there is nothing to restart")
    return studio.describe(restarted)


@router.get("/events", response_class=StreamingResponse)
async def stream_events(studio: CurrentStudio) -> StreamingResponse:
    """Send every song, and then each change of a song, as server-sent events."""
    return StreamingResponse(_events(studio), media_type="text/event-stream", headers={"cache-control": "no-store"})


async def _events(studio: Studio) -> AsyncIterator[str]:
    subscription = studio.events.subscribe()
    # Subscribed before the songs are listed, so that no change in between is missed.
    pending = asyncio.ensure_future(anext(subscription))
    try:
        await asyncio.sleep(0)
        for song in studio.library.songs():
            yield format_event("song", studio.describe(song))
        while True:
            try:
                event = await pending
            except StopAsyncIteration:
                return
            yield ": heartbeat\n\n" if event is None else event
            pending = asyncio.ensure_future(anext(subscription))
    finally:
        pending.cancel()
