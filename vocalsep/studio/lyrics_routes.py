"""Routes of the HTTP interface for the words of songs."""

from __future__ import annotations

import urllib.parse
from typing import Annotated, Any, Literal

import fastapi
import pydantic
from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from ..lyrics import Lyrics
from .context import PROBLEM_RESPONSES, CurrentStudio, RequestedSong, Studio
from .error_messages import Code, StudioError
from .export_request import file_name
from .library import LibrarySong
from .lyrics_store import MAX_BYTES, LyricsFields, describe_lyrics, read_text_lyrics
from .route import Route

router = fastapi.APIRouter(responses=PROBLEM_RESPONSES, route_class=Route)


def _lyrics_schema() -> dict[str, Any]:
    """Return the schema of words as JSON, with those of lines and words in their places."""
    schema = LyricsFields.model_json_schema()
    parts = schema.pop("$defs")
    parts["LineFields"]["properties"]["words"]["items"] = parts["WordFields"]
    schema["properties"]["lines"]["items"] = parts["LineFields"]
    return schema


# FastAPI cannot infer from the code that the body is JSON or a text.
LYRICS_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _lyrics_schema()},
            "text/plain": {"schema": {"type": "string"}},
        },
    }
}


@router.get("/songs/{song_id}/lyrics")
def get_lyrics(song: RequestedSong, studio: CurrentStudio) -> dict[str, Any]:
    """Return the words of a song and when they are sung."""
    return describe_lyrics(_lyrics(studio, song), song.lyrics_source)


@router.get("/songs/{song_id}/lyrics.lrc", response_class=Response)
def get_lyrics_file(song: RequestedSong, studio: CurrentStudio) -> Response:
    """Return the words of a song as an LRC file."""
    _lyrics(studio, song)
    name = urllib.parse.quote(f"{file_name(song)}.lrc", safe="")
    headers = {"content-disposition": f"attachment; filename*=utf-8''{name}", "cache-control": "no-store"}
    return Response(studio.lyrics.text(song), media_type="text/plain; charset=utf-8", headers=headers)


@router.put("/songs/{song_id}/lyrics", openapi_extra=LYRICS_BODY)
async def put_lyrics(
    song: RequestedSong,
    request: Request,
    studio: CurrentStudio,
    source: Annotated[Literal["file", "user"], Query(description="Where the words come from.")] = "user",
) -> dict[str, Any]:
    """Keep the words in the request's body with a song: JSON as from the same address, or LRC or plain text."""
    data = await request.body()
    if len(data) > MAX_BYTES:
        raise StudioError(Code.WORDS_TOO_LONG, kilobytes=MAX_BYTES // 1000)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()

    def put() -> dict[str, Any]:
        if media_type == "application/json":
            try:
                lyrics = LyricsFields.model_validate_json(data).lyrics()
            except pydantic.ValidationError as error:
                raise RequestValidationError(error.errors()) from None
        else:
            lyrics = read_text_lyrics(data)
        kept = studio.lyrics.put(song, lyrics, source)
        _publish(studio, kept)
        return describe_lyrics(_lyrics(studio, kept), source, lyrics.problems)

    return await run_in_threadpool(put)


@router.delete("/songs/{song_id}/lyrics", status_code=204)
def delete_lyrics(song: RequestedSong, studio: CurrentStudio) -> None:
    """Forget the words of a song."""
    _publish(studio, studio.lyrics.remove(song))


def _lyrics(studio: Studio, song: LibrarySong) -> Lyrics:
    lyrics = studio.lyrics.get(song)
    if lyrics is None:
        raise StudioError(Code.NO_WORDS)
    return lyrics


def _publish(studio: Studio, song: LibrarySong) -> None:
    studio.events.publish("lyrics", {"id": song.id})
    studio.publish_song(song)
