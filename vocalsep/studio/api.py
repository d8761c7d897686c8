"""The studio's web application: the HTTP interface, the page, and the answers to errors."""

from __future__ import annotations

import pathlib

import fastapi
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from .. import __version__
from ..errors import AudioError, DiskFullError, UsageError, VocalsepError
from . import audio_routes, song_routes
from .context import Studio
from .error_messages import visitor_message
from .uploads import RequestRefused
from .worker import QueueFull

PAGE = pathlib.Path(__file__).parent / "page"
# The first class that an error is of gives the status; the status is 500 for all others.
STATUS_OF_ERROR: dict[type[VocalsepError], int] = {
    QueueFull: 429,
    DiskFullError: 507,
    AudioError: 422,
    UsageError: 422,
}

page_router = fastapi.APIRouter()


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
    app.include_router(song_routes.router, prefix="/api")
    app.include_router(audio_routes.router, prefix="/api")
    app.mount("/static", StaticFiles(directory=PAGE), name="static")
    app.include_router(page_router)
    return app


@page_router.get("/", include_in_schema=False)
def get_page() -> FileResponse:
    """Return the page."""
    return FileResponse(PAGE / "index.html", media_type="text/html; charset=utf-8")


async def _answer_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, VocalsepError)
    status = next((status for kind, status in STATUS_OF_ERROR.items() if isinstance(error, kind)), 500)
    return JSONResponse({"detail": visitor_message(error)}, status)


async def _answer_invalid_request(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = [f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors()]
    return JSONResponse({"detail": "; ".join(problems)}, 422)


async def _answer_refusal(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestRefused)
    # The rest of the body may not have been read: the connection cannot be used for another request.
    return JSONResponse({"detail": error.reason}, error.status, {"connection": "close"})
