"""`vocalsep average`."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer

from ..errors import OutputError, UsageError
from . import options, session


def average(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Names or files of two models or more.")],
    out: Annotated[pathlib.Path, typer.Option("-o", "--out", help="The model file to write.")] = pathlib.Path(
        "average.safetensors"
    ),
    weights: Annotated[
        str | None, typer.Option("--weights", metavar="A,B,...", help="Share of each model. [all alike]")
    ] = None,
    licence: Annotated[str | None, typer.Option("--licence", help="Of the average. [those of its parts]")] = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Average the weights of models that were fine-tuned from the same beginning, which is often better than each."""
    with session.one_line_errors():
        if out.suffix != ".safetensors":
            raise UsageError(f"{out}: a model's name ends in .safetensors")
        if out.exists() and not overwrite:
            raise OutputError(f"{out} exists; --overwrite replaces it")
        _average(models, _shares(weights), licence, out)
        if not quiet:
            typer.echo(str(out))


def _shares(said: str | None) -> list[float] | None:
    if said is None:
        return None
    try:
        return [float(part) for part in said.split(",")]
    except ValueError:
        raise UsageError(f"--weights takes numbers such as 1,1,0.5, not {said!r}") from None


def _average(models: list[str], shares: list[float] | None, licence: str | None, out: pathlib.Path) -> None:
    from ..averaging import average
    from ..checkpoint import save

    network, config, card = average(models, shares)
    save(out, network, config, card if licence is None else {**card, "licence": licence})
