"""Routes of the HTTP interface for what a player needs: stems, peaks, the uploaded file and its cover."""

from __future__ import annotations

import mimetypes
import os
import pathlib
from typing import Annotated, Any, BinaryIO

import fastapi
from fastapi import Path, Request
from fastapi.responses import Response

from ..tags import read_tags
from .context import PROBLEM_RESPONSES, CurrentStudio, KeyQuery, RequestedSong, TempoQuery
from .error_messages import Code, StudioError
from .export_request import StemName
from .library import DONE
from .ranges import file_response, first_byte, range_response
from .route import Route
from .stems import HEADER_BYTES, wav_header

router = fastapi.APIRouter(responses=PROBLEM_RESPONSES, route_class=Route)

# Other kinds could hold scripts.
COVER_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp")

Stem = Annotated[StemName, Path(description="Which stem.")]


@router.get("/songs/{song_id}/stems/{stem}.wav", response_class=Response)
def get_stem(
    song: RequestedSong,
    stem: Stem,
    request: Request,
    studio: CurrentStudio,
    key: KeyQuery = 0.0,
    tempo: TempoQuery = 100.0,
) -> Response:
    """Return a stem as a WAV file; while the song is separated, ranges of what is ready."""
    if key or tempo != 100:
        try:
            file, growing = studio.versions.open(song, stem, key, tempo)
        except OSError:
            raise StudioError(Code.VERSION_MISSING) from None
        total = ready = os.fstat(file.fileno()).st_size // song.frame_bytes
        complete = growing is None
        if growing is not None:
            asked = (first_byte(request.headers.get("range")) - HEADER_BYTES) // song.frame_bytes
            ready = growing.available(max(0, asked))
    else:
        file = _open(studio.library.stem(song, stem), Code.NO_STEMS)
        # Read again: the song may have been restarted before the file was opened.
        song = studio.get_song(song.id)
        ready, complete = song.ready, song.state == DONE
        total = song.samples or ready
    if not song.channels:
        raise StudioError(Code.NO_STEMS)
    header = wav_header(song.channels, song.sample_rate, song.bits, total)
    available = HEADER_BYTES + ready * song.frame_bytes
    total_bytes = HEADER_BYTES + max(total, ready) * song.frame_bytes
    return range_response(
        header, file, available, total_bytes, request.headers.get("range"), "audio/wav", complete=complete
    )


@router.get("/songs/{song_id}/peaks")
def get_peaks(song: RequestedSong, studio: CurrentStudio) -> dict[str, Any]:
    """Return the waveform peaks of both stems, as far as they are separated."""
    return dict(studio.worker.peaks(song))


@router.get("/songs/{song_id}/original", response_class=Response)
def get_original(song: RequestedSong, request: Request, studio: CurrentStudio) -> Response:
    """Return the uploaded file."""
    path = studio.library.original(song)
    file = _open(path, Code.FILE_GONE)
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return file_response(file, request.headers.get("range"), media_type)


@router.get("/songs/{song_id}/cover", response_class=Response)
def get_cover(song: RequestedSong, studio: CurrentStudio) -> Response:
    """Return the picture in the uploaded file's tags."""
    pictures = read_tags(studio.library.original(song)).pictures if song.cover else ()
    shown = next((picture for picture in pictures if picture.mime in COVER_TYPES), None)
    if shown is None:
        raise StudioError(Code.NO_COVER)
    return Response(shown.data, media_type=shown.mime, headers={"cache-control": "max-age=3600"})


def _open(path: pathlib.Path, code: Code) -> BinaryIO:
    """Open a file; raises StudioError with `code` if it is not there."""
    try:
        return path.open("rb")
    except OSError:
        raise StudioError(code) from None
