"""Routes of the HTTP interface for songs and the queue."""

from __future__ import annotations

import contextlib
from typing import Annotated, Any

import fastapi
import pydantic
from fastapi import Query, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from ..errors import OutputError
from ..tags import read_tags
from .context import PROBLEM_RESPONSES, CurrentStudio, RequestedSong
from .error_messages import Code, StudioError
from .export_request import HexId
from .library import MAX_NAME_LENGTH, display_name
from .route import FILE_BODY, Route
from .uploads import body_of, open_info, receive_upload, song_fields

router = fastapi.APIRouter(responses=PROBLEM_RESPONSES, route_class=Route)

MAX_DELETED = 10_000
AudioStream = Annotated[
    str,
    Query(
        max_length=20, description="Of a file with several: a number from 1, or a language's code; else the default."
    ),
]
Text = Annotated[str, pydantic.Field(max_length=MAX_NAME_LENGTH)]


class SongChanges(pydantic.BaseModel):
    """What may be changed of a song; None leaves it as it is, and an empty text is what the tags do not say."""

    model_config = pydantic.ConfigDict(extra="forbid")

    title: Text | None = None
    artist: Text | None = None
    album: Text | None = None
    name: Annotated[str, pydantic.Field(min_length=1, max_length=MAX_NAME_LENGTH)] | None = None


class SongIds(pydantic.BaseModel):
    """Several songs."""

    model_config = pydantic.ConfigDict(extra="forbid")

    ids: Annotated[list[HexId], pydantic.Field(max_length=MAX_DELETED)]


@router.get("/songs", response_model=list[dict[str, Any]])
def list_songs(studio: CurrentStudio) -> JSONResponse:
    """Return all songs, the newest first."""
    # FastAPI would encode it in the event loop: with a long list, other requests would wait for that.
    return JSONResponse(studio.describe_all())


@router.post("/songs", status_code=201, openapi_extra=FILE_BODY)
async def upload_song(
    request: Request,
    studio: CurrentStudio,
    name: Annotated[str, Query(max_length=1000, description="The file's name.")] = "song",
    audio_stream: AudioStream = "",
) -> dict[str, Any]:
    """Add the file in the request's body to the library and to the queue."""
    async with body_of(request) as body:
        studio.worker.check_room()
        upload = await receive_upload(studio.library, studio.limits, name, content_length(request), body, audio_stream)

    def enqueue() -> dict[str, Any]:
        tags = read_tags(upload.path)
        fields = song_fields(tags, upload.info)
        song = studio.worker.enqueue(
            upload.path, name, audio_stream=audio_stream, content_hash=upload.content_hash, **fields
        )
        # On a full disk the song is worth more than its words.
        with contextlib.suppress(OutputError):
            if (with_words := studio.lyrics.put_tags(song, tags)) is not song:
                song = with_words
                studio.publish_song(song)
        return studio.describe(song)

    return await run_in_threadpool(enqueue)


@router.post("/songs/delete")
def delete_songs(songs: SongIds, studio: CurrentStudio) -> dict[str, list[str]]:
    """Delete several songs."""
    answer: dict[str, list[str]] = {"deleted": [], "missing": []}
    for song_id in dict.fromkeys(songs.ids):
        song = studio.library.get(song_id)
        if song is not None:
            studio.remove_song(song)
        answer["missing" if song is None else "deleted"].append(song_id)
    return answer


@router.get("/songs/{song_id}")
def get_song(song: RequestedSong, studio: CurrentStudio) -> dict[str, Any]:
    """Return one song."""
    return studio.describe(song)


@router.patch("/songs/{song_id}")
def change_song(song: RequestedSong, changes: SongChanges, studio: CurrentStudio) -> dict[str, Any]:
    """Rename a song; files that are downloaded later have the new title, artist and album in their tags."""
    fields: dict[str, Any] = {name: _one_line(value) for name, value in changes.model_dump(exclude_none=True).items()}
    if "name" in fields:
        fields["name"] = display_name(fields["name"])
    changed = studio.library.update(song, **fields)
    studio.get_song(song.id)
    studio.publish_song(changed)
    return studio.describe(changed)


@router.delete("/songs/{song_id}", status_code=204)
def delete_song(song: RequestedSong, studio: CurrentStudio) -> None:
    """Delete a song with its stems."""
    studio.remove_song(song)


@router.post("/songs/{song_id}/cancel")
def cancel_song(
    song: RequestedSong,
    studio: CurrentStudio,
    keep: Annotated[bool, Query(description="Keep what is separated, as a song that is done and partial.")] = False,
) -> dict[str, Any]:
    """Remove a song from the queue, or stop its separation."""
    return studio.describe(studio.worker.cancel(song, keep))


@router.post("/songs/{song_id}/restart")
def restart_song(song: RequestedSong, studio: CurrentStudio, audio_stream: AudioStream | None = None) -> dict[str, Any]:
    """Put a song that failed, was cancelled or was interrupted into the queue again.

    With `audio_stream` also one that is done, to separate another of its audio streams.
    """
    if audio_stream is not None:
        open_info(studio.library.original(song), audio_stream)
    restarted = studio.worker.restart(song, audio_stream)
    if restarted is None:
        studio.get_song(song.id)
        raise StudioError(Code.NOTHING_TO_RESTART)
    studio.exports.remove_song(song.id)
    return studio.describe(restarted)


def content_length(request: Request) -> int | None:
    """Return the bytes that a request announces, or None."""
    header = request.headers.get("content-length")
    return int(header) if header is not None and header.isdecimal() else None


def _one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()
