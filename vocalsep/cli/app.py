"""The application: all commands in one table, and the options that they have in common."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .. import __version__
from .command import make_command
from .errors import show_debug_log

# The module of each command in this package; the function in it is called as the command is.
COMMANDS = {
    "split": "split",
    "karaoke": "karaoke",
    "train": "train",
    "evaluate": "evaluate",
    "compare": "compare",
    "studio": "studio",
    "serve": "studio",
    "bench": "bench",
    "plot": "plot",
    "models": "inspect",
    "info": "inspect",
    "doctor": "doctor",
    "export": "export",
    "average": "average",
    "import-spleeter": "import_spleeter",
}


class _Commands(Mapping[str, Any]):
    """The commands by their names; a command's module is imported when the command is first looked up."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            module = importlib.import_module(f".{COMMANDS[name]}", __package__)
            self._made[name] = make_command(name, getattr(module, name.replace("-", "_")))
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class _Group(TyperGroup):
    """All commands, which are not made before they are needed: most of them import much, and have many options."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()  # type: ignore[assignment]


app = typer.Typer(
    name="vocalsep",
    cls=_Group,
    help="Separate songs into vocals and accompaniment, on your own machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
