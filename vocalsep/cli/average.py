"""`vocalsep average`."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Annotated, Any

import typer

from ..errors import UsageError
from . import options, session


def average(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Names or files of two models or more.")],
    out: Annotated[pathlib.Path, typer.Option("-o", "--out", help="The model file to write.")] = pathlib.Path(
        "average.safetensors"
    ),
    weights: Annotated[
        str | None, typer.Option("--weights", metavar="A,B,...", help="Share of each model. [all alike]")
    ] = None,
    bottleneck: Annotated[
        int | None,
        typer.Option("--bottleneck", min=1, help="Filters to keep at the bottom of Spleeter's network, by SVD."),
    ] = None,
    licence: Annotated[str | None, typer.Option("--licence", help="Of the average. [those of its parts]")] = None,
    figure: Annotated[
        list[str] | None, typer.Option("--figure", metavar="NAME=NUMBER", help="What it was measured to do.")
    ] = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Average the weights of models that were fine-tuned from the same beginning, which is often better than each."""
    with session.one_line_errors():
        session.check_model_target(out, overwrite)
        said = {"licence": licence, "figures": _figures(figure)}
        _average(models, _shares(weights), bottleneck, {key: value for key, value in said.items() if value}, out)
        if not quiet:
            typer.echo(str(out))


def _shares(said: str | None) -> list[float] | None:
    if said is None:
        return None
    try:
        return [float(part) for part in said.split(",")]
    except ValueError:
        raise UsageError(f"--weights takes numbers such as 1,1,0.5, not {said!r}") from None


def _figures(said: list[str] | None) -> dict[str, float]:
    figures = {}
    for entry in said or []:
        name, _, number = entry.rpartition("=")
        try:
            figures[name.strip()] = float(number if name.strip() else "")
        except ValueError:
            raise UsageError(f"--figure takes a name and a number such as 'vocals SDR=6.5', not {entry!r}") from None
    return figures


def _average(
    models: list[str], shares: list[float] | None, bottleneck: int | None, said: dict[str, Any], out: pathlib.Path
) -> None:
    from ..model_files.averaging import average
    from ..model_files.checkpoint import save

    network, config, card = average(models, shares)
    if bottleneck is not None:
        from ..networks.bottleneck import narrow_bottleneck
        from ..networks.spleeter import SpleeterUNet

        if not isinstance(network, SpleeterUNet):
            raise UsageError(f"--bottleneck is for Spleeter's network, not for {config.architecture}")
        network = narrow_bottleneck(network, bottleneck)
        config = dataclasses.replace(config, network=network.config)
        card["bottleneck"] = bottleneck
    save(out, network, config, {**card, **said})
