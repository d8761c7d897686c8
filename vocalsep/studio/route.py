"""The class of all routes: answers to HEAD, and a bound on what is sent as JSON."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Message, Receive, Scope, Send

from .error_messages import Code, Problem, RequestRefused

# Words of a song are the longest that is sent; files have bounds of their own.
MAX_BODY_MB = 1
MAX_BODY_BYTES = MAX_BODY_MB * 1_000_000
# How much of a body that is too large is still read, and how long in seconds.
MAX_DISCARDED_BYTES = 50_000_000
DISCARD_S = 5.0
# FastAPI cannot infer from the code that the body is the bytes of a file.
FILE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class HeadersSent(Exception):
    """The headers of an answer to HEAD were sent, and its body is not wanted."""


class Route(APIRoute):
    """A route that answers HEAD where it answers GET, and refuses bodies that are too large.

    Routes with `FILE_BODY` read and bound the body themselves.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match HEAD as GET."""
        return super().matches(_as_get(scope))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if self.openapi_extra is not FILE_BODY:
            if _announced_length(scope) > MAX_BODY_BYTES:
                await _discard(receive)
                problem = Problem(Code.REQUEST_TOO_LARGE, {"megabytes": MAX_BODY_MB})
                answer = JSONResponse(problem.answer, problem.code.status, {"connection": "close"})
                await answer(scope, receive, send)
                return
            receive = _bounded(receive)
        if scope["method"] != "HEAD":
            await super().handle(scope, receive, send)
            return

        async def send_headers(message: Message) -> None:
            await send(message if message["type"] == "http.response.start" else {"type": message["type"]})
            if message["type"] == "http.response.body":
                raise HeadersSent

        with contextlib.suppress(HeadersSent):
            await super().handle(_as_get(scope), receive, send_headers)


def _as_get(scope: Scope) -> Scope:
    return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope


def _announced_length(scope: Scope) -> int:
    value: bytes = dict(scope["headers"]).get(b"content-length", b"0")
    return int(value) if value.isdigit() else 0


def _bounded(receive: Receive) -> Receive:
    size = 0

    async def receive_some() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY_BYTES:
            if message.get("more_body", False):
                await _discard(receive)
            raise RequestRefused(Code.REQUEST_TOO_LARGE, megabytes=MAX_BODY_MB)
        return message

    return receive_some


async def _discard(receive: Receive) -> None:
    """Read the rest of a body, up to a bound: a client that is still sending would not see the answer."""
    left = MAX_DISCARDED_BYTES
    deadline = time.monotonic() + DISCARD_S
    with contextlib.suppress(asyncio.TimeoutError):
        while left > 0 and time.monotonic() < deadline:
            message = await asyncio.wait_for(receive(), DISCARD_S)
            left -= len(message.get("body", b""))
            if not message.get("more_body", False):
                return
