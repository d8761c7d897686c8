"""Run a studio: its library, its worker and its HTTP server, until a signal stops it."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import pathlib
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..system.folder_lock import lock_folder
from ..system.signals import INTERRUPTED

if TYPE_CHECKING:
    from ..inference.engine import Engine
    from .context import Studio

BACKLOG = 2048
# How long answers that are being sent may still take when the studio stops, in seconds.
GRACE_S = 1
# Longer than clients keep idle connections: a request that meets the closing of its connection would be lost.
KEEP_ALIVE_S = 75


@dataclasses.dataclass(frozen=True)
class ServerOptions:
    """How a studio is run.

    Parameters
    ----------
    host, port : str, int
        Address to listen on; port 0 takes a free one.
    library : pathlib.Path
    model, device, threads
        As for `Separator`.
    max_upload_mb : float
        Largest file in megabytes.
    max_minutes : float
        Longest song.
    browser : bool
        Whether to open the page.
    """

    host: str
    port: int
    library: pathlib.Path
    model: str
    device: str
    threads: int | None
    max_upload_mb: float
    max_minutes: float
    browser: bool


def run(options: ServerOptions, report: Callable[[str], None]) -> None:
    """Serve a studio until a signal comes.

    Parameters
    ----------
    options : ServerOptions
    report : callable
        Called with lines for the user.

    Raises
    ------
    UsageError
        A limit makes no sense, the address cannot be listened on, or another studio uses the library.
    OutputError
        The library cannot be used.
    ModelError
        The model is unknown, or its file is not a model.
    """
    from ..inference.opening import model_info
    from ..model_files import registry

    model_info(registry.find(options.model))
    with lock_folder(options.library, "open its page, or choose another library"):
        _serve(options, report)


def _serve(options: ServerOptions, report: Callable[[str], None]) -> None:
    import uvicorn

    from .api import create_app
    from .context import Studio
    from .guard import Guard, is_loopback
    from .library import Library
    from .limits import Limits
    from .network import addresses

    limits = Limits(max_upload_bytes=int(options.max_upload_mb * 1e6), max_minutes=options.max_minutes)
    library = Library(options.library)
    listener = _listen(options.host, options.port)
    port = listener.getsockname()[1]
    token = None if is_loopback(options.host) else secrets.token_urlsafe(24)

    def load_engine() -> Engine:
        from ..separator import Separator

        return Separator(options.model, device=options.device, threads=options.threads)

    shared = addresses(options.host, port, token) if token is not None else []
    studio = Studio(library, load_engine, limits, options.model, shared)
    # asyncio warns of each visitor who left while an answer was being sent.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        Guard(create_app(studio), token),
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        lifespan="off",
    )
    server = _server_class(studio)(config)
    studio.worker.start()
    own = f"http://{_display_host(options.host)}:{port}/"
    if shared:
        _report_network(options.host, shared, report)
        own = shared[0]
    report(f"studio: {own}  (library {options.library}; Ctrl-C ends it)")
    if options.browser:
        webbrowser.open(own)
    try:
        server.run([listener])
    except KeyboardInterrupt:
        if not studio.close():
            # Libraries that are at work in a thread would crash a program that ends around them. All files are whole.
            report("vocalsep: interrupted")
            os._exit(INTERRUPTED)
        raise
    finally:
        studio.close()


def _report_network(host: str, shared: list[str], report: Callable[[str], None]) -> None:
    from .network import qr_text

    report(
        f"warning: {host} can be reached by others; whoever has an address below, with its token, can use the studio "
        "and read its library, and the connection is not encrypted"
    )
    for address in shared[1:]:
        report(f"also at {address}")
    code = qr_text(shared[0])
    # Terminals of old encodings have no blocks to draw it with.
    with contextlib.suppress(UnicodeEncodeError, LookupError):
        code.encode(sys.stderr.encoding or "ascii")
        report("scan this with a phone in the same network:")
        for line in code.splitlines():
            report(line)


def _server_class(studio: Studio) -> Any:
    import uvicorn

    class Server(uvicorn.Server):
        """A server that ends event streams and all work first when it stops: otherwise it would wait for them."""

        def handle_exit(self, sig: int, frame: Any) -> None:
            # In a thread: the signal may have come while this one holds a lock that is needed.
            threading.Thread(target=studio.stop).start()
            super().handle_exit(sig, frame)

    return Server


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises UsageError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # Connections that come before the server runs wait in the backlog.
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot listen on {host} port {port} ({reason})", hint="choose another port") from None
    return listener


def _display_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
