"""The studio's web application: the HTTP interface, the page, and the answers to errors."""

from __future__ import annotations

import pathlib
from typing import Any

import fastapi
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from .. import __version__
from ..errors import AudioError, DiskFullError, LyricsError, UsageError, VocalsepError
from . import (
    audio_routes,
    export_routes,
    lyrics_routes,
    party_routes,
    practice_routes,
    recording_routes,
    song_routes,
    studio_routes,
)
from .context import Studio
from .error_messages import visitor_message
from .party import NoEntry
from .recordings import NoRecording
from .route import Route
from .uploads import RequestRefused
from .worker import QueueFull

PAGE = pathlib.Path(__file__).parent / "page"
ROUTES = (
    song_routes,
    audio_routes,
    practice_routes,
    export_routes,
    lyrics_routes,
    party_routes,
    recording_routes,
    studio_routes,
)
# Browsers ask whether a file has changed, so that a new version of the studio is not mixed with an old one.
CACHE_HEADERS = {"cache-control": "no-cache"}
# The first class that an error is of gives the status; the status is 500 for all others.
STATUS_OF_ERROR: dict[type[VocalsepError], int] = {
    NoEntry: 404,
    NoRecording: 404,
    QueueFull: 429,
    DiskFullError: 507,
    AudioError: 422,
    LyricsError: 422,
    UsageError: 422,
}

page_router = fastapi.APIRouter(route_class=Route)


class PageFiles(StaticFiles):
    """The page's files, which browsers keep and ask about."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        """Return the response with a file, or with the news that it has not changed."""
        response = super().file_response(*arguments, **options)
        response.headers.update(CACHE_HEADERS)
        return response


def create_app(studio: Studio) -> fastapi.FastAPI:
    """Return the web application of a studio."""
    app = fastapi.FastAPI(
        title="vocalsep studio",
        version=__version__,
        description="Separate songs into vocals and accompaniment.",
        docs_url=None,  # these pages would load scripts from other servers
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.studio = studio
    app.add_exception_handler(VocalsepError, _answer_error)
    app.add_exception_handler(RequestRefused, _answer_refusal)
    app.add_exception_handler(RequestValidationError, _answer_invalid_request)
    app.add_exception_handler(ClientDisconnect, _answer_broken_off)
    for routes in ROUTES:
        app.include_router(routes.router, prefix="/api")
    app.mount("/static", PageFiles(directory=PAGE), name="static")
    app.include_router(page_router)
    return app


@page_router.get("/", include_in_schema=False)
def get_page() -> FileResponse:
    """Return the page."""
    return FileResponse(PAGE / "index.html", media_type="text/html; charset=utf-8", headers=CACHE_HEADERS)


async def _answer_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, VocalsepError)
    status = next((status for kind, status in STATUS_OF_ERROR.items() if isinstance(error, kind)), 500)
    return JSONResponse({"detail": visitor_message(error)}, status)


async def _answer_invalid_request(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = [
        f"{problem['loc'][-1]}: {problem['msg']}" if problem["loc"] else problem["msg"] for problem in error.errors()
    ]
    return JSONResponse({"detail": "; ".join(problems)}, 422)


async def _answer_broken_off(_: Request, error: Exception) -> JSONResponse:
    # Nobody reads it; without an answer the server would print an error.
    return JSONResponse({"detail": "the request was broken off"}, 400, {"connection": "close"})


async def _answer_refusal(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestRefused)
    # The rest of the body may not have been read: the connection cannot be used for another request.
    return JSONResponse({"detail": error.reason}, error.status, {"connection": "close"})
