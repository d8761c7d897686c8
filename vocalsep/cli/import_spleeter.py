"""`vocalsep import-spleeter`."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Annotated

import typer

from ..errors import UsageError
from .options import Overwrite, Quiet
from .paths import check_model_output


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImportSpleeterOptions:
    """The options of import-spleeter."""

    source: Annotated[
        pathlib.Path,
        typer.Argument(
            metavar="SOURCE",
            help="Spleeter's 2stems.tar.gz, the folder that it was unpacked into, or a wheel that holds it.",
        ),
    ]
    out: Annotated[pathlib.Path, typer.Option("-o", "--out", help="The model file to write.")] = pathlib.Path(
        "spleeter.safetensors"
    )
    bottleneck: Annotated[
        int | None,
        typer.Option("--bottleneck", min=1, max=512, help="Filters to keep of the deepest layer's 512, by SVD."),
    ] = None
    both: Annotated[
        bool, typer.Option("--both", help="Both networks, as Spleeter itself works, at twice the cost.")
    ] = False
    any_level: Annotated[
        bool, typer.Option("--any-level", help="Divide its input by the local level: quiet songs as loud ones.")
    ] = False
    overwrite: Overwrite = False
    quiet: Quiet = False


def import_spleeter(options: ImportSpleeterOptions) -> None:
    """Turn the vocal network of Spleeter's 2-stem release, or both, into a model to split with or to train on.

    No TensorFlow is needed, and nothing of the release is run.
    """
    check_model_output(options.out, options.overwrite)
    if options.both and options.bottleneck is not None:
        raise UsageError("--bottleneck is for the vocal network alone; leave out --both")
    _convert(options)
    if not options.quiet:
        typer.echo(str(options.out))


def _convert(options: ImportSpleeterOptions) -> None:
    from ..dsp.front_end import FrontEndConfig
    from ..model_files.checkpoint import save
    from ..model_files.config import ModelConfig
    from ..model_files.spleeter_import import read_both, read_spleeter

    if options.both:
        pair, card = read_both(options.source, any_level=options.any_level)
        save(options.out, pair, ModelConfig(FrontEndConfig(), pair.config, "pair"), card)
        return
    network, card = read_spleeter(options.source, any_level=options.any_level)
    if options.bottleneck is not None:
        from ..networks.bottleneck import narrow_bottleneck

        network = narrow_bottleneck(network, options.bottleneck)
        card["bottleneck"] = options.bottleneck
    save(options.out, network, ModelConfig(FrontEndConfig(), network.config, "spleeter"), card)
