"""All commands in one table, and what they have in common."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import __version__
from . import average, bench, compare, evaluate, export, import_spleeter, inspect, karaoke, plot, split, studio, train

app = typer.Typer(
    name="vocalsep",
    help="Separate songs into vocals and accompaniment, on your own machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("split")(split.split)
app.command("karaoke")(karaoke.karaoke)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("studio")(studio.studio)
app.command("serve")(studio.serve)
app.command("bench")(bench.bench)
app.command("plot")(plot.plot)
app.command("models")(inspect.models)
app.command("info")(inspect.info)
app.command("export")(export.export)
app.command("average")(average.average)
app.command("import-spleeter")(import_spleeter.import_spleeter)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vocalsep {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass
