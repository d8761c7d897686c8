"""Routes of the HTTP interface for downloads."""

from __future__ import annotations

import pathlib
import urllib.parse
from typing import Annotated, Any

import fastapi
import pydantic
from fastapi import Depends, Path, Request
from fastapi.responses import Response

from .context import CLIENT_PATTERN, PROBLEM_RESPONSES, ClientQuery, CurrentStudio, FinishedSong
from .error_messages import Code, StudioError
from .export_queue import Export
from .export_request import MEDIA_TYPES, ExportRequest
from .library import DONE
from .ranges import file_response
from .route import Route

router = fastapi.APIRouter(responses=PROBLEM_RESPONSES, route_class=Route)

ExportId = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="An export's id.")]


class ExportBody(ExportRequest):
    """A request for a download, and which page asks."""

    client: Annotated[str, pydantic.Field(pattern=CLIENT_PATTERN)] | None = None


def _export(export_id: ExportId, studio: CurrentStudio) -> Export:
    export = studio.exports.get(export_id)
    if export is None:
        raise StudioError(Code.NO_EXPORT)
    return export


RequestedExport = Annotated[Export, Depends(_export)]


@router.post("/songs/{song_id}/exports", status_code=202)
def request_export(song: FinishedSong, body: ExportBody, studio: CurrentStudio) -> dict[str, Any]:
    """Make a file for download; a request that equals an earlier one gets the same export."""
    request = ExportRequest(**body.model_dump(exclude={"client"}))
    return studio.exports.describe(studio.exports.request(song, request, body.client or ""))


@router.get("/exports")
def list_exports(studio: CurrentStudio) -> list[dict[str, Any]]:
    """Return all exports, the newest first."""
    return [studio.exports.describe(export) for export in studio.exports.all()]


@router.get("/exports/{export_id}")
def get_export(export: RequestedExport, studio: CurrentStudio) -> dict[str, Any]:
    """Return one export."""
    return studio.exports.describe(export)


@router.delete("/exports/{export_id}", status_code=204)
def delete_export(export: RequestedExport, studio: CurrentStudio, client: ClientQuery = None) -> None:
    """Cancel and remove an export; with `client` only if no other client asked for it too."""
    studio.exports.cancel(export, client)


@router.get("/exports/{export_id}/file", response_class=Response)
def get_file(export: RequestedExport, request: Request) -> Response:
    """Return the file of an export that is done."""
    if export.state != DONE or export.path is None:
        raise StudioError(Code.EXPORT_NOT_DONE)
    try:
        file = export.path.open("rb")
    except OSError:
        raise StudioError(Code.EXPORT_GONE) from None
    headers = {"content-disposition": f"attachment; filename*=utf-8''{urllib.parse.quote(export.name, safe='')}"}
    media_type = MEDIA_TYPES.get(pathlib.PurePath(export.name).suffix, "application/octet-stream")
    return file_response(file, request.headers.get("range"), media_type, headers)
