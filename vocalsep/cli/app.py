"""The application: all commands in one table, and the options that they have in common."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import __version__
from . import (
    average,
    bench,
    compare,
    doctor,
    evaluate,
    export,
    import_spleeter,
    inspect,
    karaoke,
    models,
    plot,
    split,
    studio,
    train,
)
from .command import add_command, add_group
from .errors import show_debug_log

app = typer.Typer(
    name="vocalsep",
    help="Separate songs into vocals and accompaniment, on your own machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
add_command(app, "split", split.split)
add_command(app, "karaoke", karaoke.karaoke)
add_command(app, "train", train.train)
add_command(app, "evaluate", evaluate.evaluate)
add_command(app, "compare", compare.compare)
add_command(app, "studio", studio.studio)
add_command(app, "serve", studio.serve)
add_command(app, "bench", bench.bench)
add_command(app, "plot", plot.plot)
add_group(app, "models", models.models, {"add": models.add, "remove": models.remove})
add_command(app, "info", inspect.info)
add_command(app, "doctor", doctor.doctor)
add_command(app, "export", export.export)
add_command(app, "average", average.average)
add_command(app, "import-spleeter", import_spleeter.import_spleeter)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"vocalsep {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="VOCALSEP_DEBUG", help="Print a log with the tracebacks of errors.")
    ] = False,
) -> None:
    if debug:
        show_debug_log()
