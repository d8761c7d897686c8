"""The studio's web application: the HTTP interface, the page, and the answers to errors."""

from __future__ import annotations

import hashlib
import pathlib
import re

import fastapi
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Scope

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
# Documents refer to files in ``/static/VERSION/``, and these to each other relative to themselves. Browsers keep the
# files of a version without asking; about all else they ask whether it has changed.
KEEP = {"cache-control": "max-age=31536000, immutable"}
ASK = {"cache-control": "no-cache"}
VERSION_MARK = "VERSION"
CLOSE = {"connection": "close"}

page_router = fastapi.APIRouter(route_class=Route)


class PageFiles(StaticFiles):
    """The files of the page, also under ``VERSION/``, which is a hash of them all."""

    def __init__(self) -> None:
        super().__init__(directory=PAGE)
        paths = [path for path in sorted(PAGE.rglob("*")) if path.is_file()]
        files = {path.relative_to(PAGE).as_posix(): path.read_bytes() for path in paths}
        self.version = hashlib.sha256(repr(files).encode()).hexdigest()[:16]
        self._documents = {
            name: data.decode().replace(VERSION_MARK, self.version)
            for name, data in files.items()
            if name.endswith(".html")
        }

    def document(self, name: str) -> HTMLResponse:
        """Return an HTML file, with the version in its addresses."""
        return HTMLResponse(self._documents[name], headers=ASK)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, or the news that it has not changed; files of other versions are those of this one."""
        version, _, name = path.partition("/")
        if not re.fullmatch("[0-9a-f]{16}", version):
            name = path
        if name in self._documents:
            return self.document(name)
        response = await super().get_response(name, scope)
        response.headers.update(KEEP if version == self.version else ASK)
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
    app.state.page = PageFiles()
    app.mount("/static", app.state.page, name="static")
    app.include_router(page_router)
    return app


@page_router.get("/", include_in_schema=False)
def get_page(request: Request) -> HTMLResponse:
    """Return the page."""
    page: PageFiles = request.app.state.page
    return page.document("index.html")


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
