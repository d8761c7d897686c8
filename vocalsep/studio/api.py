"""The studio's HTTP interface: songs in, stems and mixes out, and the page."""

from __future__ import annotations

import asyncio
import dataclasses
import mimetypes
import os
import pathlib
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, BinaryIO, Literal, TypeVar

import fastapi
import pydantic
from fastapi import HTTPException, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from .. import __version__
from ..audio.formats import SONG_SUFFIXES
from ..errors import AudioError, OutputError, UsageError, VocalsepError
from ..system.atomic_files import DISK_FULL
from . import library as states
from .events import Events, as_text
from .library import Library, Song
from .limits import Limits
from .mixes import Mixes, file_name
from .ranges import answer
from .stems import HEADER_BYTES, wav_header
from .uploads import Refused, check_stream, let_go, received
from .worker import QueueFull, Worker

PAGE = pathlib.Path(__file__).parent / "page"
MEDIA = {"wav": "audio/wav", "flac": "audio/flac", "mp3": "audio/mpeg", "m4a": "audio/mp4", "stem.mp4": "video/mp4"}

SongId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="A song's id.")]
Gain = Annotated[float, Query(ge=0, le=1, description="Linear gain.")]
Key = Annotated[float, Query(ge=-12, le=12, description="Semitones.")]
Tempo = Annotated[float, Query(ge=50, le=200, description="Percent of the song's tempo.")]
AudioStream = Annotated[
    str,
    Query(
        max_length=20, description="Of a file with several: a number from 1, or a language's code; else the default."
    ),
]
Stem = Annotated[Literal["vocals", "accompaniment"], Path(description="Which stem.")]
AudioFormat = Annotated[Literal["wav", "flac", "mp3", "m4a"], Query(alias="format")]
MixFormat = Annotated[Literal["wav", "flac", "mp3", "m4a", "stem.mp4"], Query(alias="format")]


# Mixes, archives and versions that are made at a time; others wait without keeping a thread from answering.
TURNS = 2
Made = TypeVar("Made")


class Problem(pydantic.BaseModel):
    """Why a request was not answered as asked, in a sentence."""

    detail: str


PROBLEMS: dict[int | str, dict[str, Any]] = {"4XX": {"model": Problem}, "5XX": {"model": Problem}}


@dataclasses.dataclass(frozen=True)
class Studio:
    """All that the interface works with."""

    library: Library
    worker: Worker
    mixes: Mixes
    events: Events
    limits: Limits
    model: str
    turns: asyncio.Semaphore = dataclasses.field(default_factory=lambda: asyncio.Semaphore(TURNS))

    def described(self, song: Song) -> dict[str, Any]:
        """Return a song as the interface shows it."""
        said = dataclasses.asdict(song)
        del said["suffix"]
        return {**said, "position": self.worker.position(song), "bytes": self.library.size(song)}

    def found(self, song_id: str) -> Song:
        """Return a song, or answer that there is none."""
        song = self.library.get(song_id)
        if song is None:
            raise HTTPException(404, "there is no such song")
        return song

    def finished(self, song_id: str) -> Song:
        """Return a song that is done, or answer that it is not."""
        song = self.found(song_id)
        if song.state != states.DONE:
            raise HTTPException(409, "this song is not separated yet")
        return song

    async def in_turn(self, song: Song, make: Callable[[], Made]) -> Made:
        """Return what is made of a song, once it is its turn, or answer that the song was deleted meanwhile."""
        async with self.turns:
            try:
                return await run_in_threadpool(make)
            except VocalsepError:
                self.found(song.id)
                raise


def application(studio: Studio) -> fastapi.FastAPI:
    """Return the application for a studio."""
    app = fastapi.FastAPI(
        title="vocalsep studio",
        version=__version__,
        description="Separate songs into vocals and accompaniment.",
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.add_exception_handler(VocalsepError, _known_error)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _senseless)
    app.include_router(_songs(studio), prefix="/api")
    app.include_router(_sounds(studio), prefix="/api")
    app.mount("/static", StaticFiles(directory=PAGE), name="static")

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(PAGE / "index.html", media_type="text/html; charset=utf-8")

    return app


def _songs(studio: Studio) -> fastapi.APIRouter:
    router = fastapi.APIRouter(responses=PROBLEMS)

    @router.get("/info")
    def info() -> dict[str, Any]:
        """What this studio is, and what it takes."""
        return {
            "vocalsep": __version__,
            "model": studio.model,
            "max_upload_bytes": studio.limits.upload_bytes,
            "max_minutes": studio.limits.minutes,
            "suffixes": sorted(SONG_SUFFIXES),
        }

    @router.get("/songs")
    def songs() -> list[dict[str, Any]]:
        """All songs, the newest first."""
        return [studio.described(song) for song in studio.library.songs()]

    @router.post("/songs", status_code=201, openapi_extra=_BODY)
    async def upload(
        request: Request,
        name: Annotated[str, Query(max_length=1000, description="The file's name.")] = "song",
        audio_stream: AudioStream = "",
    ) -> dict[str, Any]:
        """Take in a file, the body of the request, and put it into the queue."""
        try:
            studio.worker.check_room()
        except QueueFull:
            await let_go(request.stream().__aiter__())
            raise
        announced = request.headers.get("content-length")
        size = int(announced) if announced is not None and announced.isdecimal() else None
        path = await received(studio.library, studio.limits, name, size, request.stream().__aiter__(), audio_stream)
        return studio.described(await run_in_threadpool(studio.worker.take_in, path, name, audio_stream))

    @router.get("/songs/{song_id}")
    def one(song_id: SongId) -> dict[str, Any]:
        """One song."""
        return studio.described(studio.found(song_id))

    @router.delete("/songs/{song_id}", status_code=204)
    def remove(song_id: SongId) -> None:
        """Delete a song and all that was made of it."""
        studio.worker.remove(studio.found(song_id))
        studio.events.tell("gone", {"id": song_id})

    @router.post("/songs/{song_id}/cancel")
    def cancel(song_id: SongId) -> dict[str, Any]:
        """Take a song out of the queue, or stop working on it."""
        return studio.described(studio.worker.cancel(studio.found(song_id)))

    @router.post("/songs/{song_id}/restart")
    def restart(song_id: SongId, audio_stream: AudioStream | None = None) -> dict[str, Any]:
        """Put a song that failed, was cancelled or was interrupted into the queue again.

        With `audio_stream` one that is done too: another of its audio streams is separated then.
        """
        known = studio.found(song_id)
        if audio_stream is not None:
            check_stream(studio.library.original(known), audio_stream)
        song = studio.worker.restart(known, audio_stream)
        if song is None:
            raise HTTPException(409, f"this song is {studio.found(song_id).state}; there is nothing to restart")
        return studio.described(song)

    @router.get("/events", response_class=StreamingResponse)
    async def events() -> StreamingResponse:
        """Each change of a song as a server-sent event; first every song as it is."""
        return StreamingResponse(_stream(studio), media_type="text/event-stream", headers={"cache-control": "no-store"})

    return router


def _sounds(studio: Studio) -> fastapi.APIRouter:
    router = fastapi.APIRouter(responses=PROBLEMS)

    @router.get("/songs/{song_id}/stems/{stem}.wav", response_class=Response)
    def stem_file(song_id: SongId, stem: Stem, request: Request, key: Key = 0.0, tempo: Tempo = 100.0) -> Response:
        """A stem as a WAV file. While it is made, ranges of what is there can be asked for already."""
        song = studio.found(song_id)
        if key or tempo != 100:
            file = _opened(
                studio.mixes.version_path(song, stem, key, tempo),
                "this version is not made yet; POST to versions first",
            )
            total = ready = _size(file) // song.frame_bytes
            done = True
        else:
            file = _opened(studio.library.stem(song, stem), "this song has no stems yet")
            # Asked for once more: another separation may have taken the place of the one that was found.
            song = studio.found(song_id)
            ready, done = song.ready, song.state == states.DONE
            total = song.samples or ready
        if not song.channels:
            raise HTTPException(409, "this song has no stems yet")
        head = wav_header(song.channels, song.sample_rate, song.bits, total)
        there = HEADER_BYTES + ready * song.frame_bytes
        whole = HEADER_BYTES + max(total, ready) * song.frame_bytes
        return answer(head, file, there, whole, request.headers.get("range"), "audio/wav", done)

    @router.post("/songs/{song_id}/versions")
    async def version(song_id: SongId, key: Key = 0.0, tempo: Tempo = 100.0) -> dict[str, Any]:
        """Make both stems in another key and tempo, for `key` and `tempo` of the stems."""
        song = studio.finished(song_id)
        samples = song.samples
        if key or tempo != 100:
            samples = await studio.in_turn(song, lambda: studio.mixes.version(song, key, tempo))
        return {"key": key, "tempo": tempo, "samples": samples}

    @router.get("/songs/{song_id}/peaks")
    def peaks(song_id: SongId) -> dict[str, Any]:
        """The overview of both stems, as far as they are made."""
        return dict(studio.worker.peaks(studio.found(song_id)))

    @router.get("/songs/{song_id}/mix", response_class=FileResponse)
    async def mix(
        song_id: SongId,
        vocals: Gain = 0.0,
        accompaniment: Gain = 1.0,
        key: Key = 0.0,
        tempo: Tempo = 100.0,
        form: MixFormat = "wav",
    ) -> FileResponse:
        """Both stems mixed as asked for, as a file."""
        song = studio.finished(song_id)

        def make() -> pathlib.Path:
            if form == "stem.mp4":
                return studio.mixes.stem_file(song)
            return studio.mixes.mix(song, vocals, accompaniment, key, tempo, form)

        path = await studio.in_turn(song, make)
        mark = "" if form == "stem.mp4" else " (mix)" if vocals else " (karaoke)"
        return _Temporary(path, filename=f"{file_name(song)}{mark}.{form}", media_type=MEDIA[form])

    @router.get("/songs/{song_id}/stems.zip", response_class=FileResponse)
    async def archive(song_id: SongId, form: AudioFormat = "wav") -> FileResponse:
        """Both stems in one archive."""
        song = studio.finished(song_id)
        path = await studio.in_turn(song, lambda: studio.mixes.archive(song, form))
        return _Temporary(path, filename=f"{file_name(song)} - stems.zip", media_type="application/zip")

    @router.get("/songs/{song_id}/original", response_class=Response)
    def original(song_id: SongId, request: Request) -> Response:
        """The file that was dropped."""
        path = studio.library.original(studio.found(song_id))
        file = _opened(path, "the file is gone", status=404)
        size = _size(file)
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return answer(b"", file, size, size, request.headers.get("range"), media_type, True)

    return router


# What the upload takes, as FastAPI cannot see it: the raw bytes of a file.
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


async def _stream(studio: Studio) -> AsyncIterator[str]:
    listening = studio.events.listen()
    # Listening begins before the songs are counted, so that no change falls between the two.
    pending = asyncio.ensure_future(anext(listening))
    try:
        await asyncio.sleep(0)
        for song in studio.library.songs():
            yield as_text("song", studio.described(song))
        while True:
            try:
                event = await pending
            except StopAsyncIteration:
                return
            yield ": still here\n\n" if event is None else event
            pending = asyncio.ensure_future(anext(listening))
    finally:
        pending.cancel()


class _Temporary(FileResponse):
    """Sends a file and removes it, whatever comes of the sending."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            pathlib.Path(self.path).unlink(missing_ok=True)


def _opened(path: pathlib.Path, otherwise: str, status: int = 409) -> BinaryIO:
    """Open a file, or answer why it is not there."""
    try:
        return path.open("rb")
    except OSError:
        raise HTTPException(status, otherwise) from None


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


async def _known_error(_: Request, error: Exception) -> JSONResponse:
    full = isinstance(error, OutputError) and DISK_FULL in str(error)
    status = 507 if full else 422 if isinstance(error, AudioError | UsageError) else 500
    if isinstance(error, QueueFull):
        status = 429
    return JSONResponse({"detail": " ".join(str(error).split())}, status)


async def _senseless(_: Request, error: Exception) -> JSONResponse:
    wrong = error.errors() if isinstance(error, RequestValidationError) else []
    return JSONResponse({"detail": "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in wrong)}, 422)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    status, why = (error.status, error.why) if isinstance(error, Refused) else (500, "refused")
    # What was not read of the body makes the connection useless for another request.
    return JSONResponse({"detail": why}, status, {"connection": "close"})
