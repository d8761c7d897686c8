"""The studio that the routes of the HTTP interface work with, and their common parameters."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import pydantic
from fastapi import Depends, HTTPException, Path, Query, Request
from starlette.concurrency import run_in_threadpool

from ..errors import VocalsepError
from .events import EventStream
from .exports import Exporter
from .library import DONE, Library, LibrarySong
from .limits import Limits
from .worker import Worker

# Exports that are written at once. Others wait without occupying a thread that could answer requests.
MAX_CONCURRENT_EXPORTS = 2
Result = TypeVar("Result")


class Problem(pydantic.BaseModel):
    """Why a request failed, in a sentence."""

    detail: str


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {"4XX": {"model": Problem}, "5XX": {"model": Problem}}


@dataclasses.dataclass(frozen=True)
class Studio:
    """The parts of a studio.

    Parameters
    ----------
    library : Library
    worker : Worker
    exporter : Exporter
    events : EventStream
    limits : Limits
    model : str
        Name of the model, for display.
    export_slots : asyncio.Semaphore
        Bounds the exports that are written at once.
    """

    library: Library
    worker: Worker
    exporter: Exporter
    events: EventStream
    limits: Limits
    model: str
    export_slots: asyncio.Semaphore = dataclasses.field(
        default_factory=lambda: asyncio.Semaphore(MAX_CONCURRENT_EXPORTS)
    )

    def describe(self, song: LibrarySong) -> dict[str, Any]:
        """Return a song as the HTTP interface shows it."""
        description = dataclasses.asdict(song)
        del description["suffix"]
        return {**description, "position": self.worker.position(song), "bytes": self.library.size(song)}

    def get_song(self, song_id: str) -> LibrarySong:
        """Return a song; raises HTTPException if there is none of this id."""
        song = self.library.get(song_id)
        if song is None:
            raise HTTPException(404, "there is no such song")
        return song

    async def export(self, song: LibrarySong, write: Callable[[], Result]) -> Result:
        """Call a function that exports a song, in a thread, once an export slot is free.

        Raises
        ------
        HTTPException
            The song was deleted meanwhile.
        VocalsepError
            The export failed.
        """
        async with self.export_slots:
            try:
                return await run_in_threadpool(write)
            except VocalsepError:
                self.get_song(song.id)
                raise


async def _studio(request: Request) -> Studio:
    studio: Studio = request.app.state.studio
    return studio


CurrentStudio = Annotated[Studio, Depends(_studio)]
SongId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="A song's id.")]


def _song(song_id: SongId, studio: CurrentStudio) -> LibrarySong:
    return studio.get_song(song_id)


RequestedSong = Annotated[LibrarySong, Depends(_song)]


def _finished_song(song: RequestedSong) -> LibrarySong:
    if song.state != DONE:
        raise HTTPException(409, "this song is not separated yet")
    return song


FinishedSong = Annotated[LibrarySong, Depends(_finished_song)]
Key = Annotated[float, Query(ge=-12, le=12, description="Semitones.")]
Tempo = Annotated[float, Query(ge=50, le=200, description="Percent of the song's tempo.")]
