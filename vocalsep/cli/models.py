"""`vocalsep models`, `vocalsep models add` and `vocalsep models remove`."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Annotated, Any

import typer

from .descriptions import describe_model, label, readable
from .options import Json, Overwrite, Quiet


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelsOptions:
    """The options of models."""

    as_json: Json = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class AddOptions:
    """The options of models add."""

    source: Annotated[str, typer.Argument(metavar="FILE|URL", help="A model of vocalsep's or of another program.")]
    name: Annotated[str | None, typer.Option("--name", help="What to call it; default: as the file.")] = None
    config: Annotated[
        str | None,
        typer.Option(
            "--config", metavar="FILE|URL", help="Configuration of the network, if it is in a file of its own."
        ),
    ] = None
    sha256: Annotated[str | None, typer.Option("--sha256", metavar="HEX", help="The file must have this SHA-256.")] = (
        None
    )
    overwrite: Overwrite = False
    as_json: Json = False
    quiet: Quiet = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class RemoveOptions:
    """The options of models remove."""

    name: Annotated[str, typer.Argument(metavar="NAME", help="A model that was added.")]
    quiet: Quiet = False


def models(options: ModelsOptions) -> None:
    """List models, add one, or remove it."""
    from ..model_files import registry

    descriptions = [describe(name) for name in sorted(registry.named(), key=lambda name: name != registry.DEFAULT)]
    if options.as_json:
        typer.echo(json.dumps(descriptions, indent=2))
        return
    for description in descriptions:
        name = description["name"]
        typer.echo(f"{name}{' (default)' if name == registry.DEFAULT else ''}")
        for key, value in description.items():
            if key != "name":
                typer.echo(f"  {label(key):<12} {readable(key, value)}")


def add(options: AddOptions) -> None:
    """Add a model of another program or of your own, to use it by its name.

    It is converted once into vocalsep's own format. Nothing in it is run.
    """
    from ..model_store.adding import add

    added = add(
        options.source,
        name=options.name,
        config=options.config,
        sha256=options.sha256,
        overwrite=options.overwrite,
        progress=not options.quiet and sys.stderr.isatty(),
    )
    if options.as_json:
        typer.echo(json.dumps(describe(added.name), indent=2))
    elif not options.quiet:
        typer.echo(f"{added.name}: {added.path}")
        typer.echo(f"  {'licence':<12} {added.licence}")
        if added.remarks:
            typer.echo(f"  {'remarks':<12} {added.remarks}")
        typer.echo(f"  {'cost':<12} {readable('cost_s_per_s', added.seconds_per_second)}")


def remove(options: RemoveOptions) -> None:
    """Remove a model that was added."""
    from ..model_store.adding import remove

    remove(options.name)
    if not options.quiet:
        typer.echo(f"{options.name} was removed")


def describe(name: str) -> dict[str, Any]:
    """Describe a model with a name; one that cannot be read says why, so that it does not hide the others."""
    from ..errors import VocalsepError
    from ..model_files import registry, store

    path = registry.named()[name]
    try:
        description = describe_model(name, path)
        if name not in registry.shipped():
            record = store.read_record(path)
            description["cost_s_per_s"] = record.seconds_per_second
            description["added_from"] = record.origin
    except VocalsepError as error:
        return {"name": name, "path": str(path), "error": error.message}
    return description
