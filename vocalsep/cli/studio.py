"""`vocalsep studio` and `vocalsep serve`."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer

from . import options, session

Host = Annotated[
    str, typer.Option("--host", help="Address to listen on; any but this machine's own is open to others.")
]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")]
LibraryFolder = Annotated[
    pathlib.Path | None, typer.Option("--library", help="Folder that keeps the songs. [in the user's data folder]")
]
MaxUpload = Annotated[float, typer.Option("--max-upload", metavar="MB", callback=options.finite, help="Largest file.")]
MaxMinutes = Annotated[float, typer.Option("--max-minutes", callback=options.finite, help="Longest song.")]

LOOPBACK = "127.0.0.1"
PORT = 8765


def studio(
    host: Host = LOOPBACK,
    port: Port = PORT,
    library: LibraryFolder = None,
    model: options.Model = "default",
    device: options.DeviceName = options.Device.AUTO,
    threads: options.Threads = None,
    max_upload: MaxUpload = 1000.0,
    max_minutes: MaxMinutes = 120.0,
) -> None:
    """Open the karaoke studio in the browser: drop a song, and sing to it with its voice turned down."""
    _run(host, port, library, model, device, threads, max_upload, max_minutes, browser=True)


def serve(
    host: Host = LOOPBACK,
    port: Port = PORT,
    library: LibraryFolder = None,
    model: options.Model = "default",
    device: options.DeviceName = options.Device.AUTO,
    threads: options.Threads = None,
    max_upload: MaxUpload = 1000.0,
    max_minutes: MaxMinutes = 120.0,
) -> None:
    """Serve the karaoke studio and its HTTP interface without opening a browser."""
    _run(host, port, library, model, device, threads, max_upload, max_minutes, browser=False)


def _run(
    host: str,
    port: int,
    library: pathlib.Path | None,
    model: str,
    device: options.Device,
    threads: int | None,
    max_upload: float,
    max_minutes: float,
    browser: bool,
) -> None:
    with session.one_line_errors():
        from ..studio.library import default_folder
        from ..studio.server import ServerOptions, run

        folder = library or default_folder()
        run(
            ServerOptions(host, port, folder, model, device.value, threads, max_upload, max_minutes, browser),
            lambda line: typer.echo(line, err=True),
        )
