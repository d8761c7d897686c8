"""Run a studio: its library, its worker and its HTTP server, until a signal stops it."""

from __future__ import annotations

import dataclasses
import logging
import pathlib
import secrets
import socket
import webbrowser
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..system.folder_lock import lock_folder

if TYPE_CHECKING:
    from ..inference.engine import Engine
    from .events import EventStream

BACKLOG = 2048
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
    from .events import EventStream
    from .exports import Exporter
    from .guard import Guard, is_loopback
    from .library import Library, LibrarySong
    from .limits import Limits
    from .worker import Worker

    limits = Limits(max_upload_bytes=int(options.max_upload_mb * 1e6), max_minutes=options.max_minutes)
    library = Library(options.library)
    events = EventStream()
    listener = _listen(options.host, options.port)
    port = listener.getsockname()[1]
    token = None if is_loopback(options.host) else secrets.token_urlsafe(24)

    def load_engine() -> Engine:
        from ..separator import Separator

        return Separator(options.model, device=options.device, threads=options.threads)

    def publish(song: LibrarySong) -> None:
        events.publish("song", studio.describe(song))

    worker = Worker(library, load_engine, limits, publish)
    studio = Studio(library, worker, Exporter(library), events, limits, options.model)
    address = f"http://{_display_host(options.host)}:{port}/"
    if token is not None:
        report(
            f"warning: {options.host} can be reached by others; whoever has this address, with its token, can use the "
            "studio and read its library, and the connection is not encrypted"
        )
        address += f"?token={token}"
    # asyncio warns of each visitor who left while an answer was being sent.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    config = uvicorn.Config(
        Guard(create_app(studio), token),
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=KEEP_ALIVE_S,
        lifespan="off",
    )
    server = _server_class(events)(config)
    worker.start()
    report(f"studio: {address}  (library {options.library}; Ctrl-C ends it)")
    if options.browser:
        webbrowser.open(address)
    try:
        server.run([listener])
    finally:
        worker.close()


def _server_class(events: EventStream) -> Any:
    import uvicorn

    class Server(uvicorn.Server):
        """A server that ends the event streams first when it stops: otherwise it would wait for them."""

        def handle_exit(self, sig: int, frame: Any) -> None:
            events.close()
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
    if host in ("0.0.0.0", "::"):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
