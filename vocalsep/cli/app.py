"""All commands in one table, and what they have in common."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from .. import __version__
from . import average, bench, compare, evaluate, export, import_spleeter, inspect, karaoke, plot, split, studio, train
from .streams import complain


class Command(TyperCommand):
    """A command that takes no empty argument, as an unset variable of a shell gives: it would name this folder."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; an empty one ends the command with one line and exit code 2."""
        for before, argument in zip(["", *args], args, strict=False):
            option, equals, value = argument.partition("=")
            if argument == "" or (option.startswith("--") and equals and not value):
                named = option or (before if len(before) > 1 and before.startswith("-") else "an argument")
                complain(f"vocalsep: {named} is empty; give it a value, or leave it out")
                raise typer.Exit(2)
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="vocalsep",
    help="Separate songs into vocals and accompaniment, on your own machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("split", cls=Command)(split.split)
app.command("karaoke", cls=Command)(karaoke.karaoke)
app.command("train", cls=Command)(train.train)
app.command("evaluate", cls=Command)(evaluate.evaluate)
app.command("compare", cls=Command)(compare.compare)
app.command("studio", cls=Command)(studio.studio)
app.command("serve", cls=Command)(studio.serve)
app.command("bench", cls=Command)(bench.bench)
app.command("plot", cls=Command)(plot.plot)
app.command("models", cls=Command)(inspect.models)
app.command("info", cls=Command)(inspect.info)
app.command("export", cls=Command)(export.export)
app.command("average", cls=Command)(average.average)
app.command("import-spleeter", cls=Command)(import_spleeter.import_spleeter)


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
