"""Routes of the HTTP interface for the studio itself: what it is, its addresses, and its events."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import AsyncIterator
from typing import Annotated, Any

import fastapi
from fastapi import Header, Query
from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from .. import __version__
from ..audio.formats import SONG_SUFFIXES
from .context import PROBLEM_RESPONSES, ClientQuery, CurrentStudio, Studio
from .error_messages import Code, StudioError
from .events import format_event
from .network import qr_svg
from .route import Route

router = fastapi.APIRouter(responses=PROBLEM_RESPONSES, route_class=Route)


@router.get("/info")
def get_info(studio: CurrentStudio) -> dict[str, Any]:
    """Return versions, the model and the limits of uploads."""
    return {
        "vocalsep": __version__,
        "model": studio.model,
        "model_ready": studio.worker.model_ready,
        "network": bool(studio.addresses),
        "max_upload_bytes": studio.limits.max_upload_bytes,
        "max_minutes": studio.limits.max_minutes,
        "suffixes": sorted(SONG_SUFFIXES),
        "free_bytes": shutil.disk_usage(studio.library.folder).free,
    }


@router.get("/example-song", response_class=FileResponse)
def get_example_song() -> FileResponse:
    """Return the song that comes with vocalsep, as Ogg Vorbis: something to try for who has none at hand."""
    return FileResponse(example_song(), media_type="audio/ogg")


@router.get("/network")
def get_network(studio: CurrentStudio) -> dict[str, list[str]]:
    """Return the addresses, with the token, under which other devices reach the studio."""
    return {"addresses": studio.addresses}


@router.get("/network/qr.svg", response_class=Response)
def get_qr_code(
    studio: CurrentStudio, address: Annotated[int, Query(ge=0, le=1000, description="Which address, from 0.")] = 0
) -> Response:
    """Return the QR code of an address."""
    if address >= len(studio.addresses):
        raise StudioError(Code.NO_ADDRESS)
    headers = {"cache-control": "no-store"}
    return Response(qr_svg(studio.addresses[address]), media_type="image/svg+xml", headers=headers)


@router.get("/events", response_class=StreamingResponse)
async def stream_events(
    studio: CurrentStudio,
    client: ClientQuery = None,
    last_event_id: Annotated[str, Header(max_length=100)] = "",
) -> StreamingResponse:
    """Send all that there is, and then each change, as server-sent events."""
    headers = {"cache-control": "no-store"}
    return StreamingResponse(_events(studio, client, last_event_id), media_type="text/event-stream", headers=headers)


async def _events(studio: Studio, client: str | None, last_event_id: str) -> AsyncIterator[str]:
    # Subscribed before all is described, so that no change in between is missed.
    with studio.clients.present(client or ""), studio.events.subscription(last_event_id) as (subscription, resumed):
        if not resumed:
            yield await run_in_threadpool(_snapshot, studio)
        while (event := await subscription.next()) is not None:
            yield event


def example_song() -> pathlib.Path:
    """Return the path of the song that comes with vocalsep: inside the installed package, or in a source checkout."""
    package = pathlib.Path(__file__).resolve().parent
    installed = package / "example_song.ogg"
    return installed if installed.is_file() else package.parent.parent / "examples" / "song.ogg"


def _snapshot(studio: Studio) -> str:
    """Return the event with all that there is."""
    player = studio.party.player
    content = {
        "songs": studio.describe_all(),
        "exports": [studio.exports.describe(export) for export in studio.exports.all()],
        "party": studio.party.describe(),
        "player": player.model_dump() if player else None,
    }
    return format_event("snapshot", content)
