"""Routes of the HTTP interface for practice: other keys and tempos, the song's own, and how a song was left."""

from __future__ import annotations

import functools
from typing import Annotated, Any

import fastapi
import pydantic
from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError

from .context import (
    PROBLEM_RESPONSES,
    ClientQuery,
    CurrentStudio,
    FinishedSong,
    KeyQuery,
    RequestedSong,
    Studio,
    TempoQuery,
)
from .library import LibrarySong
from .route import Route
from .settings import Settings

StartQuery = Annotated[
    float | None, Query(ge=0, le=1e6, description="Seconds of the song, at its own tempo, that are played first.")
]

router = fastapi.APIRouter(responses=PROBLEM_RESPONSES, route_class=Route)


@router.post("/songs/{song_id}/versions")
async def make_version(
    song: FinishedSong,
    request: Request,
    studio: CurrentStudio,
    key: KeyQuery = 0.0,
    tempo: TempoQuery = 100.0,
    start: StartQuery = None,
) -> dict[str, Any]:
    """Make both stems in another key and tempo; stems with the same `key` and `tempo` are then available.

    With `start` it answers as soon as the stems can be played from there on; the rest follows, and is served in ranges
    as it is made. Without it all is made first. Ends where the client that asks leaves before the answer.
    """
    samples = song.samples
    if key or tempo != 100:
        make = functools.partial(studio.versions.make, song, key, tempo, start)
        samples = await studio.run_for(request, song, make)
    return {"key": key, "tempo": tempo, "samples": samples}


@router.get("/songs/{song_id}/analysis")
def get_analysis(song: FinishedSong, studio: CurrentStudio) -> dict[str, Any]:
    """Return key, tempo and beats of a song; they are looked for when they are asked for first."""
    return studio.analyses.get(song)


@router.get("/songs/{song_id}/settings")
def get_settings(song: RequestedSong, studio: CurrentStudio) -> Settings:
    """Return how a song was left."""
    return studio.settings.get(song)


@router.put("/songs/{song_id}/settings")
def put_settings(
    song: RequestedSong, settings: Settings, studio: CurrentStudio, client: ClientQuery = None
) -> Settings:
    """Keep how a song was left; what is not named is as usual."""
    return _published(studio, song, studio.settings.put(song, settings), client)


@router.patch("/songs/{song_id}/settings")
def change_settings(
    song: RequestedSong, fields: dict[str, Any], studio: CurrentStudio, client: ClientQuery = None
) -> Settings:
    """Keep some of how a song was left."""
    try:
        return _published(studio, song, studio.settings.change(song, fields), client)
    except pydantic.ValidationError as error:
        raise RequestValidationError(error.errors()) from None


def _published(studio: Studio, song: LibrarySong, settings: Settings, client: str | None) -> Settings:
    """Tell all pages of new settings, and which page set them; return them."""
    studio.events.publish("settings", {"id": song.id, "settings": settings.model_dump(), "client": client})
    return settings
