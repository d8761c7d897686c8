"""Who may talk to the studio: this machine's own pages and programs, or whoever has the token."""

from __future__ import annotations

import hmac
import http.cookies
import ipaddress
import urllib.parse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "vocalsep-token"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# The page loads nothing from elsewhere and runs nothing that does not come as a file of its own.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; worker-src 'self'; font-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
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
    """Lets requests through that name this server as their host and come from its own pages, or from no page at all.

    A page of somebody else's can make a browser send requests here (CSRF), or give this machine's address a name of its
    own (DNS rebinding). The first shows in ``Origin`` and ``Sec-Fetch-Site``, the second in ``Host``.

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
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        status, why = self._refusal(scope, headers, host)
        if status:
            await _answer(send, status, why)
            return
        if self.token is not None and not self._knows(headers):
            if scope["method"] == "GET" and self._same(_query(scope).get("token", "")):
                await _welcome(send, scope["path"], self.token)
            else:
                await _answer(send, 401, "this studio wants its token; open the address that it printed at its start")
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in known),
                ]
            await send(message)

        await self.app(scope, receive, sealed)

    def _refusal(self, scope: Scope, headers: dict[str, str], host: str) -> tuple[int, str]:
        if self.token is None and not _names_this_machine(host):
            return 421, "this studio answers on this machine's own address only"
        origin = headers.get("origin")
        foreign = origin is not None and not _is_of(origin, host)
        foreign |= headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
        # Other pages may hold a link to the studio; what they load, send or embed by themselves is refused.
        followed = scope["method"] in SAFE_METHODS and headers.get("sec-fetch-mode") == "navigate"
        if foreign and not followed:
            return 403, "this request comes from another page"
        return 0, ""

    def _knows(self, headers: dict[str, str]) -> bool:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._same(given.strip()):
            return True
        try:
            cookie = http.cookies.SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except http.cookies.CookieError:
            return False
        return cookie is not None and self._same(cookie.value)

    def _same(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), (self.token or "").encode())


def _names_this_machine(host: str) -> bool:
    try:
        name = urllib.parse.urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name is not None and is_loopback(name)


def _is_of(origin: str, host: str) -> bool:
    try:
        return urllib.parse.urlsplit(origin).netloc == host
    except ValueError:
        return False


def _query(scope: Scope) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(scope["query_string"].decode("latin-1")))


async def _answer(send: Send, status: int, why: str) -> None:
    body = f'{{"detail": "{why}"}}'.encode()
    headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _welcome(send: Send, path: str, token: str) -> None:
    # With a second slash it would be an address elsewhere, and with an end of line another header.
    place = "/" + urllib.parse.quote(path.lstrip("/\\"))
    cookie = f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict"
    headers = [(b"location", place.encode()), (b"set-cookie", cookie.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
