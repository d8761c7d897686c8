"""Routes of the HTTP interface for voices that were recorded over a song."""

from __future__ import annotations

import dataclasses
import mimetypes
from typing import Annotated, Any

import fastapi
import pydantic
from fastapi import Depends, Path, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from .context import PROBLEM_RESPONSES, CurrentStudio, FinishedSong, KeyQuery, RequestedSong, Studio, TempoQuery
from .error_messages import Code, StudioError
from .export_request import Seconds
from .library import MAX_NAME_LENGTH, LibrarySong, display_name
from .ranges import file_response
from .recordings import Recording
from .route import FILE_BODY, Route
from .song_routes import content_length
from .uploads import body_of, measured_duration, receive_upload

router = fastapi.APIRouter(responses=PROBLEM_RESPONSES, route_class=Route)

MAX_LATENCY_MS = 2000
MAX_LEVEL = 4
RecordingId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="A recording's id.")]
Name = Annotated[str, Query(max_length=1000, description="For display; its suffix tells the format.")]
Start = Annotated[float, Query(ge=0, le=1e6, description="Seconds of the track at which it begins.")]
Latency = Annotated[float, Query(ge=0, le=MAX_LATENCY_MS, description="By so many ms it is moved earlier.")]
Level = Annotated[float, Query(ge=0, le=MAX_LEVEL, description="Linear gain.")]


class RecordingChanges(pydantic.BaseModel):
    """What may be changed of a recording; None leaves it as it is."""

    model_config = pydantic.ConfigDict(extra="forbid", allow_inf_nan=False)

    name: Annotated[str, pydantic.Field(min_length=1, max_length=MAX_NAME_LENGTH)] | None = None
    start: Seconds | None = None
    latency_ms: Annotated[float, pydantic.Field(ge=0, le=MAX_LATENCY_MS)] | None = None
    level: Annotated[float, pydantic.Field(ge=0, le=MAX_LEVEL)] | None = None


def _recording(recording_id: RecordingId, song: RequestedSong, studio: CurrentStudio) -> Recording:
    return studio.recordings.get(song, recording_id)


RequestedRecording = Annotated[Recording, Depends(_recording)]


@router.get("/songs/{song_id}/recordings")
def list_recordings(song: RequestedSong, studio: CurrentStudio) -> list[dict[str, Any]]:
    """Return a song's recordings, the newest first."""
    return [_describe(studio, song, recording) for recording in studio.recordings.all(song)]


@router.post("/songs/{song_id}/recordings", status_code=201, openapi_extra=FILE_BODY)
async def upload_recording(
    song: FinishedSong,
    request: Request,
    studio: CurrentStudio,
    name: Name = "recording",
    start: Start = 0.0,
    latency_ms: Latency = 0.0,
    level: Level = 1.0,
    key: KeyQuery = 0.0,
    tempo: TempoQuery = 100.0,
) -> dict[str, Any]:
    """Keep the sound in the request's body as a recording of a voice over the song."""
    async with body_of(request) as body:
        studio.recordings.check_room(song)
        upload = await receive_upload(studio.library, studio.limits, name, content_length(request), body)

    def add() -> Recording:
        duration = measured_duration(upload)
        fields = {"start": start, "latency_ms": latency_ms, "level": level, "key": key, "tempo": tempo}
        return studio.recordings.add(song, upload.path, name, duration, **fields)

    return _published(studio, song, await run_in_threadpool(add))


@router.patch("/songs/{song_id}/recordings/{recording_id}")
def change_recording(
    song: RequestedSong, recording: RequestedRecording, changes: RecordingChanges, studio: CurrentStudio
) -> dict[str, Any]:
    """Change a recording's name, time, latency or level."""
    fields = changes.model_dump(exclude_none=True)
    if "name" in fields:
        fields["name"] = display_name(fields["name"])
    return _published(studio, song, studio.recordings.save(song, dataclasses.replace(recording, **fields)))


@router.delete("/songs/{song_id}/recordings/{recording_id}", status_code=204)
def delete_recording(song: RequestedSong, recording: RequestedRecording, studio: CurrentStudio) -> None:
    """Delete a recording."""
    studio.recordings.remove(song, recording)
    studio.events.publish("recording_gone", {"id": recording.id, "song": song.id})


@router.get("/songs/{song_id}/recordings/{recording_id}/file", response_class=Response)
def get_recording(
    song: RequestedSong, recording: RequestedRecording, request: Request, studio: CurrentStudio
) -> Response:
    """Return a recording's sound as it was sent."""
    path = studio.recordings.sound(song, recording)
    try:
        file = path.open("rb")
    except OSError:
        raise StudioError(Code.NO_RECORDING) from None
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return file_response(file, request.headers.get("range"), media_type)


def _describe(studio: Studio, song: LibrarySong, recording: Recording) -> dict[str, Any]:
    description = dataclasses.asdict(recording)
    del description["suffix"]
    try:
        size = studio.recordings.sound(song, recording).stat().st_size
    except OSError:
        size = 0
    return {**description, "bytes": size}


def _published(studio: Studio, song: LibrarySong, recording: Recording) -> dict[str, Any]:
    description = _describe(studio, song, recording)
    studio.events.publish("recording", description)
    return description
