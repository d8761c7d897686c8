"""`vocalsep average`."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Annotated

import typer

from ..errors import UsageError
from .options import Overwrite, Quiet
from .paths import check_model_output


@dataclasses.dataclass(frozen=True, kw_only=True)
class AverageOptions:
    """The options of average."""

    models: Annotated[list[str], typer.Argument(metavar="MODEL", help="Names or files of two models or more.")]
    out: Annotated[pathlib.Path, typer.Option("-o", "--out", help="The model file to write.")] = pathlib.Path(
        "average.safetensors"
    )
    weights: Annotated[
        str | None, typer.Option("--weights", metavar="A,B,...", help="Share of each model. [equal]")
    ] = None
    bottleneck: Annotated[
        int | None,
        typer.Option("--bottleneck", min=1, help="Filters to keep at the bottom of Spleeter's network, by SVD."),
    ] = None
    licence: Annotated[
        str | None, typer.Option("--licence", metavar="NAME", help="Licence of the average. [those of its parts]")
    ] = None
    figure: Annotated[
        list[str] | None, typer.Option("--figure", metavar="NAME=NUMBER", help="A measured figure for its card.")
    ] = None
    overwrite: Overwrite = False
    quiet: Quiet = False


def average(options: AverageOptions) -> None:
    """Average the weights of models that were fine-tuned from the same start, which is often better than each."""
    check_model_output(options.out, options.overwrite)
    _average(options, _shares(options.weights), _figures(options.figure))
    if not options.quiet:
        typer.echo(str(options.out))


def _shares(text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"--weights takes numbers such as 1,1,0.5, not {text!r}") from None


def _figures(entries: list[str] | None) -> dict[str, float]:
    figures = {}
    for entry in entries or []:
        name, _, number = entry.rpartition("=")
        try:
            figures[name.strip()] = float(number if name.strip() else "")
        except ValueError:
            raise UsageError(f"--figure takes a name and a number such as 'vocals SDR=6.5', not {entry!r}") from None
    return figures


def _average(options: AverageOptions, shares: list[float] | None, figures: dict[str, float]) -> None:
    from ..model_files.averaging import average
    from ..model_files.checkpoint import save

    network, config, card = average(options.models, shares)
    if options.bottleneck is not None:
        from ..networks.bottleneck import narrow_bottleneck
        from ..networks.spleeter import SpleeterUNet

        if not isinstance(network, SpleeterUNet):
            raise UsageError(f"--bottleneck is for Spleeter's network, not for {config.architecture}")
        network = narrow_bottleneck(network, options.bottleneck)
        config = dataclasses.replace(config, network=network.config)
        card["bottleneck"] = options.bottleneck
    if options.licence:
        card["licence"] = options.licence
    if figures:
        card["figures"] = figures
    save(options.out, network, config, card)
