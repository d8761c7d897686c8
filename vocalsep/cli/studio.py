"""`vocalsep studio` and `vocalsep serve`."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Annotated

import typer

from .options import DeviceOptions, Model, finite

LOOPBACK = "127.0.0.1"
PORT = 8765


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudioOptions(DeviceOptions):
    """The options of studio and serve."""

    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="Address to listen on; any but this machine's own is open to others.",
        ),
    ] = LOOPBACK
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = PORT
    library: Annotated[
        pathlib.Path | None,
        typer.Option("--library", metavar="FOLDER", help="Folder that keeps the songs. [in the user's data folder]"),
    ] = None
    model: Model = "default"
    max_upload: Annotated[float, typer.Option("--max-upload", metavar="MB", callback=finite, help="Largest file.")] = (
        1000.0
    )
    max_minutes: Annotated[
        float, typer.Option("--max-minutes", metavar="MINUTES", callback=finite, help="Longest song.")
    ] = 120.0


def studio(options: StudioOptions) -> None:
    """Open the karaoke studio in the browser: drop a song, and sing to it with its voice turned down."""
    _run(options, browser=True)


def serve(options: StudioOptions) -> None:
    """Serve the karaoke studio and its HTTP interface without opening a browser."""
    _run(options, browser=False)


def _run(options: StudioOptions, browser: bool) -> None:
    from ..studio.library import default_folder
    from ..studio.server import ServerOptions, run

    server = ServerOptions(
        host=options.host,
        port=options.port,
        library=options.library or default_folder(),
        model=options.model,
        device=options.device.value,
        threads=options.threads,
        max_upload_mb=options.max_upload,
        max_minutes=options.max_minutes,
        browser=browser,
    )
    run(server, lambda line: typer.echo(line, err=True))
