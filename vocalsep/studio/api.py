"""The studio's web application: the HTTP interface, the page, and the answers to errors."""

from __future__ import annotations

import pathlib
from typing import Any

import fastapi
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from .. import __version__
from ..errors import VocalsepError
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
from .error_messages import Code, Problem, RequestRefused, problem_of
from .route import Route

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
CLOSE = {"connection": "close"}

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
    app.add_exception_handler(RequestValidationError, _answer_invalid_request)
    app.add_exception_handler(HTTPException, _answer_unknown_request)
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
    return _answer(problem_of(error), CLOSE if isinstance(error, RequestRefused) else None)


async def _answer_invalid_request(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = [
        f"{problem['loc'][-1]}: {problem['msg']}" if problem["loc"] else problem["msg"] for problem in error.errors()
    ]
    return _answer(Problem(Code.INVALID_REQUEST, {"reason": "; ".join(problems)}))


async def _answer_unknown_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    # FastAPI puts its own error around one that is raised while it reads a body.
    if isinstance(error.__cause__, VocalsepError):
        return await _answer_error(request, error.__cause__)
    problem = Problem(Code.UNKNOWN_REQUEST, {"reason": error.detail})
    return JSONResponse(problem.answer, error.status_code, error.headers)


async def _answer_broken_off(_: Request, error: Exception) -> JSONResponse:
    # Nobody reads it; without an answer the server would print an error.
    return _answer(Problem(Code.REQUEST_BROKEN_OFF), CLOSE)


def _answer(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(problem.answer, problem.code.status, headers)
