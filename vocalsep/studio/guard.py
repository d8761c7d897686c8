"""Access to the studio: pages and programs of this machine, or whoever has the token."""

from __future__ import annotations

import hmac
import http.cookies
import ipaddress
import json
import urllib.parse
from typing import TYPE_CHECKING

from .error_messages import Code, Problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "vocalsep-token"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# The page loads nothing from other servers, and runs only scripts that are files of its own.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; worker-src 'self'; font-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
# Without style or script of its own, which the policy forbids.
NO_TOKEN_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>The studio needs its address</title>
<h1>This address is not complete</h1>
<p>The studio is here, but it lets in only whoever has its whole address, with the token at its end.</p>
<ul>
<li>Scan the code that the studio shows: in the terminal where it was started, or on its page.</li>
<li>Or open the whole address that it printed there, from "http" to its last letter.</li>
</ul>
<p>The token is a new one each time the studio starts: an old address or bookmark does not work any more.</p>
</html>
"""
SECURITY_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """Middleware that refuses requests of other pages, for other hosts and without the token.

    A page of another site can make a browser send requests here (CSRF), or give this machine's address a host name of
    its own (DNS rebinding). The first shows in ``Origin`` and ``Sec-Fetch-Site``, the second in ``Host``.

    Parameters
    ----------
    app : ASGI application
    token : str or None
        What everybody has to show where the server listens to the network: as a cookie, as ``Authorization: Bearer``,
        or once as ``?token=``, which sets the cookie. None where it listens to this machine only.
    """

    def __init__(self, app: ASGIApp, token: str | None):
        self.app = app
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to the application, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        refusal = self._check_origin(scope, headers, host)
        if refusal is not None:
            await _send_error(send, refusal)
            return
        if self.token is not None and not self._has_token(headers):
            if scope["method"] == "GET" and self._is_token(_query(scope).get("token", "")):
                await _send_cookie(send, scope["path"], self.token)
            else:
                await _send_no_token(send, headers.get("accept", ""), scope["method"])
            return

        async def send_with_security_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                missing = [(name, value) for name, value in _security_headers() if name not in present]
                message["headers"] = [*message["headers"], *missing]
            await send(message)

        await self.app(scope, receive, send_with_security_headers)

    def _check_origin(self, scope: Scope, headers: dict[str, str], host: str) -> Code | None:
        """Return why a request is refused; None if it is not."""
        if self.token is None and not _is_loopback_host(host):
            return Code.OTHER_HOST
        origin = headers.get("origin")
        foreign = origin is not None and not _is_same_origin(origin, host)
        foreign |= headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
        # Other pages may link to the studio, but may not load, embed or send anything by themselves.
        is_link = scope["method"] in SAFE_METHODS and headers.get("sec-fetch-mode") == "navigate"
        if foreign and not is_link:
            return Code.OTHER_PAGE
        return None

    def _has_token(self, headers: dict[str, str]) -> bool:
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(credentials.strip()):
            return True
        try:
            cookie = http.cookies.SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except http.cookies.CookieError:
            return False
        return cookie is not None and self._is_token(cookie.value)

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), (self.token or "").encode())


def _is_loopback_host(host: str) -> bool:
    try:
        name = urllib.parse.urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name is not None and is_loopback(name)


def _is_same_origin(origin: str, host: str) -> bool:
    try:
        return urllib.parse.urlsplit(origin).netloc == host
    except ValueError:
        return False


def _query(scope: Scope) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(scope["query_string"].decode("latin-1")))


def _security_headers() -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]


async def _send_error(send: Send, code: Code) -> None:
    await _send(send, code.status, "application/json", json.dumps(Problem(code).answer).encode())


async def _send(send: Send, status: int, media_type: str, body: bytes) -> None:
    headers = [
        *_security_headers(),
        (b"content-type", media_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _send_no_token(send: Send, accept: str, method: str) -> None:
    """Say how to get in: as a page to a browser, as JSON to a program."""
    if "text/html" in accept and method in SAFE_METHODS:
        await _send(send, 401, "text/html; charset=utf-8", NO_TOKEN_PAGE.encode())
    else:
        await _send_error(send, Code.TOKEN_MISSING)


async def _send_cookie(send: Send, path: str, token: str) -> None:
    """Set the cookie with the token, and redirect to the same path without it."""
    # A second slash would redirect to another server, and an end of line would begin another header.
    location = "/" + urllib.parse.quote(path.lstrip("/\\"))
    cookie = f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict"
    headers = [(b"location", location.encode()), (b"set-cookie", cookie.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
