"""Make a command of a function that takes one dataclass, whose fields are the command's options."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import operator
import pathlib
import types
from collections.abc import Callable, Iterator
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand
from typer.models import ParameterInfo

from .errors import one_line_errors
from .streams import complain

Options = TypeVar("Options")
# What the help shows for a value of a type, unless the option says something better.
METAVARS: dict[type, str] = {str: "TEXT", int: "N", float: "NUMBER", pathlib.Path: "FILE"}


class Command(TyperCommand):
    """A command whose usage shows ``PATH...``, and which refuses empty arguments.

    An unset variable of a shell gives an empty argument, which would stand for the current folder.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; an empty one ends the command with one line and exit code 2."""
        for before, argument in zip(["", *args], args, strict=False):
            option, equals, value = argument.partition("=")
            if argument == "" or (option.startswith("--") and equals and not value):
                name = option or (before if len(before) > 1 and before.startswith("-") else "an argument")
                complain(f"vocalsep: {name} is empty; give it a value, or leave it out")
                raise typer.Exit(2)
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line after the command's name."""
        arguments = [parameter for parameter in self.get_params(ctx) if parameter.param_type_name == "argument"]
        names = [_argument_name(argument) for argument in arguments]
        return [self.options_metavar or "", *names]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the tables of arguments and options."""
        rows: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and parameter.param_type_name == "argument":
                rows["Arguments"].append((_argument_name(parameter), record[1]))
            elif record is not None:
                rows["Options"].append(record)
        for title, table in rows.items():
            if table:
                with formatter.section(title):
                    formatter.write_dl(table)


def make_command(name: str, function: Callable[[Options], None]) -> Any:
    """Make a command of a function.

    Parameters
    ----------
    name : str
    function : callable
        Takes one dataclass; the first paragraph of its docstring is the summary that ``vocalsep --help`` shows.

    Returns
    -------
    Command
    """
    summary = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
    # An application with a single command is that command.
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(name, cls=Command, short_help=summary)(typer_function(function))
    return typer.main.get_command(app)


def typer_function(function: Callable[[Options], None]) -> Callable[..., None]:
    """Return a function for Typer with the fields of a dataclass as its parameters.

    Parameters
    ----------
    function : callable
        Takes one dataclass, whose fields are annotated as Typer wants parameters to be.

    Returns
    -------
    callable
        Prints expected errors as one line.
    """
    (options_class,) = (hint for name, hint in get_type_hints(function).items() if name != "return")
    hints = get_type_hints(options_class, include_extras=True)
    fields = {field.name: field for field in dataclasses.fields(options_class)}

    def run(**values: Any) -> None:
        with one_line_errors(fields):
            function(options_class(**values))

    parameters = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
            annotation=_with_metavar(hints[name]),
        )
        for name, field in ((name, fields[name]) for name in _field_order(options_class))
    ]
    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def _argument_name(argument: Any) -> str:
    name = str(argument.metavar or argument.name).removesuffix("...") + ("..." if argument.nargs != 1 else "")
    return name if argument.required else f"[{name}]"


def _field_order(options_class: type) -> Iterator[str]:
    """Yield the fields' names: a command's own come first in its help, then those that it shares with others."""
    names = {field.name for field in dataclasses.fields(options_class)}
    for base in options_class.__mro__:
        for name in inspect.get_annotations(base):
            if name in names:
                names.remove(name)
                yield name


def _with_metavar(annotation: Any) -> Any:
    kind, *extras = get_args(annotation)
    for index, extra in enumerate(extras):
        if isinstance(extra, ParameterInfo) and extra.metavar is None:
            extras[index] = copy.copy(extra)
            extras[index].metavar = METAVARS.get(_value_type(kind))
    return operator.getitem(Annotated, (kind, *extras))


def _value_type(kind: Any) -> Any:
    """Return the type of single values of ``X``, ``X | None`` and ``list[X]``."""
    if get_origin(kind) in (Union, types.UnionType, list):
        return _value_type(next(part for part in get_args(kind) if part is not type(None)))
    return kind
