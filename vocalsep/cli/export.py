"""`vocalsep export`."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Annotated

import typer

from ..errors import UsageError
from .options import Model, Overwrite, Quiet
from .paths import check_model_output


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """The options of export."""

    out: Annotated[pathlib.Path, typer.Argument(metavar="OUT.onnx", help="The file to write.")]
    model: Model = "default"
    overwrite: Overwrite = False
    quiet: Quiet = False


def export(options: ExportOptions) -> None:
    """Write a model's network as an ONNX file, which `--model` takes too and which needs no torch.

    The STFT stays outside: the graph makes masks of magnitudes, or samples of samples. The model's configuration is in
    the file's metadata.
    """
    from ..model_files import registry
    from ..system.extras import require

    check_model_output(options.out, options.overwrite, registry.EXPORTED_SUFFIX)
    path = registry.find(options.model)
    if path.suffix == registry.EXPORTED_SUFFIX:
        raise UsageError(f"{path} is exported already; give a {registry.SUFFIX} model")
    require("train", "exporting a model")
    from ..inference.onnx_export import export as write

    write(path, options.out)
    if not options.quiet:
        typer.echo(str(options.out))
