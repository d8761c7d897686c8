"""Run a studio: its library, its worker and its server, until it is asked to stop."""

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

BACKLOG = 2048
# Idle connections are closed after this: by then most visitors have closed theirs, and no request meets the closing.
KEEP_ALIVE_S = 75


@dataclasses.dataclass(frozen=True)
class Options:
    """How a studio is run.

    Parameters
    ----------
    host, port : str, int
        Where it listens; port 0 takes a free one.
    library : pathlib.Path
    model, device, threads
        As for `Separator`.
    upload_mb : float
        Largest file in megabytes.
    minutes : float
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
    upload_mb: float
    minutes: float
    browser: bool


def run(options: Options, say: Callable[[str], None]) -> None:
    """Serve until a signal comes.

    Raises
    ------
    UsageError
        The extra is not installed, a limit makes no sense, the address cannot be listened on, or another studio has
        the library.
    OutputError, ModelError
        The library cannot be used, or the model is unknown or no model.
    """
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        raise UsageError("the studio needs its extra: pip install 'vocalsep[studio]'") from None

    from ..inference.opening import model_info
    from ..model_files import registry

    model_info(registry.find(options.model))
    with lock_folder(options.library, "open its page, or choose another --library"):
        _serve(options, say)


def _serve(options: Options, say: Callable[[str], None]) -> None:
    import uvicorn

    from .api import Studio, application
    from .events import Events
    from .guard import Guard, is_loopback
    from .library import Library, Song
    from .limits import Limits
    from .mixes import Mixes
    from .worker import Worker

    limits = Limits(upload_bytes=int(options.upload_mb * 1e6), minutes=options.minutes)
    library = Library(options.library)
    events = Events()
    listening = _socket(options.host, options.port)
    port = listening.getsockname()[1]
    token = None if is_loopback(options.host) else secrets.token_urlsafe(24)

    def engine() -> Engine:
        from ..separator import Separator

        return Separator(options.model, device=options.device, threads=options.threads)

    def tell(song: Song) -> None:
        events.tell("song", studio.described(song))

    worker = Worker(library, engine, limits, tell)
    studio = Studio(library, worker, Mixes(library), events, limits, options.model)
    address = f"http://{_shown(options.host)}:{port}/"
    if token is not None:
        say(
            f"warning: {options.host} can be reached by others; whoever has this address, with its token, can use the "
            "studio and read its library, and nothing on the way is encrypted"
        )
        address += f"?token={token}"
    # Of visitors who left amid an answer nobody has to hear.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    config = uvicorn.Config(
        Guard(application(studio), token),
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=KEEP_ALIVE_S,
        lifespan="off",
    )
    server = _server_class(events)(config)
    worker.start()
    say(f"studio: {address}  (library {options.library}; Ctrl-C ends it)")
    if options.browser:
        webbrowser.open(address)
    try:
        server.run([listening])
    finally:
        worker.close()


def _server_class(events: Any) -> Any:
    import uvicorn

    class Server(uvicorn.Server):
        """Lets listening pages go first when it ends: it would wait for them."""

        def handle_exit(self, sig: int, frame: Any) -> None:
            events.close()
            super().handle_exit(sig, frame)

    return Server


def _socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        # From here on nobody is turned away: who comes before the server runs has to wait a moment.
        listening.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listening.close()
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot listen on {host} port {port} ({why}); choose another --port") from None
    return listening


def _shown(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
