"""`vocalsep export`."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer

from ..errors import UsageError
from . import options, session


def export(
    out: Annotated[pathlib.Path, typer.Argument(metavar="OUT.onnx", help="The file to write.")],
    model: options.Model = "default",
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Write a model's network as an ONNX file, which `--model` takes too and which needs no torch.

    The STFT stays outside: the graph makes masks of magnitudes, or samples of samples. The model's configuration is in
    the file's metadata.
    """
    with session.one_line_errors():
        from ..model_files import registry

        session.check_model_target(out, overwrite, registry.EXPORTED_SUFFIX)
        path = registry.find(model)
        if path.suffix == registry.EXPORTED_SUFFIX:
            raise UsageError(f"{path} is exported already; give a {registry.SUFFIX} model")
        from ..inference.onnx_export import export as write

        write(path, out)
        if not quiet:
            typer.echo(str(out))
