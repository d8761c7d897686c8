"""Routes of the HTTP interface for audio: stems, mixes, archives and the uploaded files."""

from __future__ import annotations

import mimetypes
import os
import pathlib
from typing import Annotated, Any, BinaryIO, Literal

import fastapi
from fastapi import HTTPException, Path, Query, Request
from fastapi.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from .context import PROBLEM_RESPONSES, CurrentStudio, FinishedSong, Key, RequestedSong, Tempo
from .exports import file_name
from .library import DONE
from .ranges import range_response
from .stems import HEADER_BYTES, wav_header

router = fastapi.APIRouter(responses=PROBLEM_RESPONSES)

MEDIA_TYPES = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "stem.mp4": "video/mp4",
}
NO_STEMS = "this song has no stems yet"

Gain = Annotated[float, Query(ge=0, le=1, description="Linear gain.")]
Stem = Annotated[Literal["vocals", "accompaniment"], Path(description="Which stem.")]
StemFormat = Annotated[Literal["wav", "flac", "mp3", "m4a"], Query(alias="format")]
MixFormat = Annotated[Literal["wav", "flac", "mp3", "m4a", "stem.mp4"], Query(alias="format")]


class TemporaryFileResponse(FileResponse):
    """A response with a file that is deleted once it was sent, or could not be."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            pathlib.Path(self.path).unlink(missing_ok=True)


@router.get("/songs/{song_id}/stems/{stem}.wav", response_class=Response)
def get_stem(
    song: RequestedSong, stem: Stem, request: Request, studio: CurrentStudio, key: Key = 0.0, tempo: Tempo = 100.0
) -> Response:
    """Return a stem as a WAV file; while the song is separated, ranges of what is ready."""
    if key or tempo != 100:
        path = studio.exporter.version_path(song, stem, key, tempo)
        file = _open(path, "this version is not made yet; POST to versions first")
        total = ready = _size(file) // song.frame_bytes
        complete = True
    else:
        file = _open(studio.library.stem(song, stem), NO_STEMS)
        # Read again: the song may have been restarted before the file was opened.
        song = studio.get_song(song.id)
        ready, complete = song.ready, song.state == DONE
        total = song.samples or ready
    if not song.channels:
        raise HTTPException(409, NO_STEMS)
    header = wav_header(song.channels, song.sample_rate, song.bits, total)
    available = HEADER_BYTES + ready * song.frame_bytes
    total_bytes = HEADER_BYTES + max(total, ready) * song.frame_bytes
    return range_response(
        header, file, available, total_bytes, request.headers.get("range"), "audio/wav", complete=complete
    )


@router.post("/songs/{song_id}/versions")
async def make_version(
    song: FinishedSong, studio: CurrentStudio, key: Key = 0.0, tempo: Tempo = 100.0
) -> dict[str, Any]:
    """Make both stems in another key and tempo; stems with the same `key` and `tempo` are then available."""
    samples = song.samples
    if key or tempo != 100:
        samples = await studio.export(song, lambda: studio.exporter.version(song, key, tempo))
    return {"key": key, "tempo": tempo, "samples": samples}


@router.get("/songs/{song_id}/peaks")
def get_peaks(song: RequestedSong, studio: CurrentStudio) -> dict[str, Any]:
    """Return the waveform peaks of both stems, as far as they are separated."""
    return dict(studio.worker.peaks(song))


@router.get("/songs/{song_id}/mix", response_class=FileResponse)
async def get_mix(
    song: FinishedSong,
    studio: CurrentStudio,
    vocals: Gain = 0.0,
    accompaniment: Gain = 1.0,
    key: Key = 0.0,
    tempo: Tempo = 100.0,
    format_name: MixFormat = "wav",
) -> FileResponse:
    """Return a mix of both stems as a file."""

    def write() -> pathlib.Path:
        if format_name == "stem.mp4":
            return studio.exporter.stem_file(song)
        return studio.exporter.mix(song, vocals, accompaniment, key, tempo, format_name)

    path = await studio.export(song, write)
    mark = "" if format_name == "stem.mp4" else " (mix)" if vocals else " (karaoke)"
    name = f"{file_name(song)}{mark}.{format_name}"
    return TemporaryFileResponse(path, filename=name, media_type=MEDIA_TYPES[format_name])


@router.get("/songs/{song_id}/stems.zip", response_class=FileResponse)
async def get_archive(song: FinishedSong, studio: CurrentStudio, format_name: StemFormat = "wav") -> FileResponse:
    """Return both stems in a zip archive."""
    path = await studio.export(song, lambda: studio.exporter.archive(song, format_name))
    return TemporaryFileResponse(path, filename=f"{file_name(song)} - stems.zip", media_type="application/zip")


@router.get("/songs/{song_id}/original", response_class=Response)
def get_original(song: RequestedSong, request: Request, studio: CurrentStudio) -> Response:
    """Return the uploaded file."""
    path = studio.library.original(song)
    file = _open(path, "the file is gone", status=404)
    size = _size(file)
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return range_response(b"", file, size, size, request.headers.get("range"), media_type, complete=True)


def _open(path: pathlib.Path, message: str, status: int = 409) -> BinaryIO:
    """Open a file; raises HTTPException with `message` if it is not there."""
    try:
        return path.open("rb")
    except OSError:
        raise HTTPException(status, message) from None


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size
