"""The studio that the routes of the HTTP interface work with, and their common parameters."""

from __future__ import annotations

import asyncio
import pathlib
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import pydantic
from fastapi import Depends, Path, Query, Request

from ..errors import VocalsepError
from ..system.background import run_in_thread
from .analyses import Analyses
from .error_messages import Code, StudioError
from .events import Clients, EventStream
from .export_queue import ExportQueue
from .exports import Exporter
from .library import DONE, Library, LibrarySong
from .limits import Limits
from .lyrics_store import LyricsStore
from .party import Party
from .recordings import Recordings
from .settings import SettingsStore
from .versions import Versions
from .worker import Worker

if TYPE_CHECKING:
    from ..inference.engine import Engine

# Requests for other keys and tempos that are met at once.
MAX_CONCURRENT_VERSIONS = 16
# Of a song's record, what is not shown.
INTERNAL_FIELDS = {"suffix", "content_hash", "lyrics_source"}
# How soon it is noticed that whoever waits for a version has left, in seconds.
LEFT_CHECK_S = 0.25
# Longest time for which a studio that closes waits for its work to end, from when it was told to, in seconds.
CLOSE_S = 1.0
Result = TypeVar("Result")


class ErrorAnswer(pydantic.BaseModel):
    """Why a request failed: a sentence, and the same as data."""

    detail: str
    code: str
    values: dict[str, Any]


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {"4XX": {"model": ErrorAnswer}, "5XX": {"model": ErrorAnswer}}


class ClientLeft(Exception):
    """Whoever waited for the result has left, or the studio is closing."""


class Studio:
    """The parts of a studio.

    Parameters
    ----------
    library : Library
    load_engine : callable
        Loads the model, see `Worker`.
    limits : Limits
    model : str
        Name of the model, for display.
    addresses : list of str
        Addresses with the token, where the studio listens to the network.

    Attributes
    ----------
    worker : Worker
    exporter : Exporter
    exports : ExportQueue
    versions : Versions
    analyses : Analyses
    settings : SettingsStore
    lyrics : LyricsStore
    recordings : Recordings
    party : Party
    events : EventStream
    clients : Clients
    """

    def __init__(
        self,
        library: Library,
        load_engine: Callable[[], Engine],
        limits: Limits,
        model: str,
        addresses: list[str] | None = None,
    ):
        self.library = library
        self.limits = limits
        self.model = model
        self.addresses = addresses or []
        self.events = EventStream()
        self.worker = Worker(
            library, load_engine, limits, self.publish_song, lambda ids: self.events.publish("queue", {"ids": ids})
        )
        self.recordings = Recordings(library)
        self.settings = SettingsStore(library)
        self.lyrics = LyricsStore(library)
        self.exporter = Exporter(library, self.recordings, self.lyrics, self.settings)
        self.exports = ExportQueue(self.exporter, self.events.publish)
        self.versions = Versions(library)
        self.analyses = Analyses(library, lambda song: self.events.publish("analysis", {"id": song.id}))
        self.party = Party(library.folder)
        self.clients = Clients(self.exports.leave)
        self._closing = threading.Event()
        self._deadline = 0.0
        self._version_slots = asyncio.Semaphore(MAX_CONCURRENT_VERSIONS)

    def stop(self) -> None:
        """Tell all work to end, without waiting for it."""
        if not self._closing.is_set():
            self._deadline = time.monotonic() + CLOSE_S
            self._closing.set()
        self.exports.stop()
        self.analyses.stop()
        self.versions.stop()
        self.worker.stop()
        self.events.close()

    def close(self) -> bool:
        """End all work, and wait a little for it; return whether it has ended."""
        self.stop()
        # One after another, but all by the same time.
        return all([part.join(self._deadline) for part in (self.exports, self.worker, self.analyses)])

    def describe(self, song: LibrarySong) -> dict[str, Any]:
        """Return a song as the HTTP interface shows it."""
        return self._description(song, self.worker.position(song))

    def describe_all(self) -> list[dict[str, Any]]:
        """Return all songs as the HTTP interface shows them, the newest first."""
        positions = self.worker.positions()
        return [self._description(song, positions.get(song.id)) for song in self.library.songs()]

    def _description(self, song: LibrarySong, position: int | None) -> dict[str, Any]:
        # Not dataclasses.asdict, which copies what each field holds: that is most of the time of a long list.
        description = {name: value for name, value in vars(song).items() if name not in INTERNAL_FIELDS}
        older = self.library.duplicate_of(song)
        return {
            **description,
            "title": song.title or pathlib.PurePath(song.name).stem,
            "duration": song.duration,
            "lyrics": bool(song.lyrics_source),
            "position": position,
            "bytes": self.library.size(song),
            "duplicate_of": older.id if older else None,
        }

    def publish_song(self, song: LibrarySong) -> None:
        """Send a song as an event."""
        self.events.publish("song", self.describe(song))

    def get_song(self, song_id: str) -> LibrarySong:
        """Return a song; raises StudioError if there is none of this id."""
        song = self.library.get(song_id)
        if song is None:
            raise StudioError(Code.NO_SONG)
        return song

    def remove_song(self, song: LibrarySong) -> None:
        """Delete a song with all that was made of it."""
        self.worker.remove(song)
        self.exports.remove_song(song.id)
        self.events.publish("gone", {"id": song.id})
        if self.party.remove_song(song.id):
            self.events.publish("party", self.party.describe())

    async def run_for(
        self, request: Request, song: LibrarySong, work: Callable[[Callable[[], None]], Result]
    ) -> Result:
        """Call a function in a thread, and stop it if the client that waits for its result leaves.

        Parameters
        ----------
        request : Request
        song : LibrarySong
        work : callable
            Takes a function that it calls often, and that raises an exception where the work is to end.

        Raises
        ------
        StudioError
            The song was deleted meanwhile, or the client left.
        VocalsepError
            The work failed.
        """
        left = threading.Event()

        def check() -> None:
            if left.is_set() or self._closing.is_set():
                raise ClientLeft

        async with self._version_slots:
            if await request.is_disconnected():
                raise StudioError(Code.REQUEST_BROKEN_OFF)
            running = asyncio.wrap_future(run_in_thread(lambda: work(check)))
            try:
                while not (await asyncio.wait([running], timeout=LEFT_CHECK_S))[0]:
                    if await request.is_disconnected():
                        left.set()
                return running.result()
            except ClientLeft:
                raise StudioError(Code.REQUEST_BROKEN_OFF) from None
            except VocalsepError:
                self.get_song(song.id)
                raise
            finally:
                left.set()


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
        raise StudioError(Code.SONG_NOT_DONE)
    return song


FinishedSong = Annotated[LibrarySong, Depends(_finished_song)]
KeyQuery = Annotated[float, Query(ge=-12, le=12, alias="key", description="Semitones.")]
TempoQuery = Annotated[float, Query(ge=50, le=200, alias="tempo", description="Percent of the song's tempo.")]
# Which page asks: a text of its own choice.
CLIENT_PATTERN = "^[A-Za-z0-9-]{8,64}$"
ClientQuery = Annotated[
    str | None, Query(alias="client", pattern=CLIENT_PATTERN, description="The page that asks: a text of its choice.")
]
