"""Options of the commands that train, and the configuration that they make up."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ..errors import UsageError

Folders = list[str] | None


def _folders(name: str, said: str) -> Any:
    return typer.Option(name, metavar="FOLDER", help=f"{said} May be given several times.")


Musdb = Annotated[Folders, _folders("--musdb", "MUSDB18 (.stem.mp4) or MUSDB18-HQ (wav).")]
Stems = Annotated[Folders, _folders("--stems", "Songs, one folder each: vocals.* and accompaniment.*.")]
Voices = Annotated[Folders, _folders("--voices", "Solo singing.")]
Instrumentals = Annotated[Folders, _folders("--instrumentals", "Music without vocals.")]
Pairs = Annotated[Folders, _folders("--pairs", "Releases, one folder each: original.* and instrumental.*.")]
Noise = Annotated[Folders, _folders("--noise", "Noise, added to mixtures only.")]
Unlabelled = Annotated[
    Folders, _folders("--unlabelled", "Songs without stems, for semi-supervised training after the supervised one.")
]
Valid = Annotated[Folders, _folders("--valid", "Songs with stems to validate on; else some are held out.")]
Exclude = Annotated[
    list[str] | None, typer.Option("--exclude", metavar="PATTERN", help="Songs and files never to use.")
]
ConfigFile = Annotated[
    pathlib.Path | None, typer.Option("--config", metavar="FILE.toml", help="Settings; other options go before it.")
]
BatchSize = Annotated[int | None, typer.Option("--batch-size", help="Examples per step. [8]")]
Steps = Annotated[int | None, typer.Option("--steps", help="Length of the run. [20000]")]
LearningRate = Annotated[float | None, typer.Option("--lr", help="Largest learning rate. [0.001]")]
Loss = Annotated[str | None, typer.Option("--loss", help="Such as l1, or a sum: l1+0.1*sdr. [l1]")]
Seed = Annotated[int | None, typer.Option("--seed", help="Of all chance. [1]")]
Precision = Annotated[str | None, typer.Option("--precision", help="auto, float32, bfloat16, float16, float64. [auto]")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Processes that make examples.")]
CacheFolder = Annotated[
    pathlib.Path | None, typer.Option("--cache", help="Seekable copies. [stem-cache beside the run]")
]


def tables(
    config: pathlib.Path | None,
    training: Mapping[str, Any],
    sets: Mapping[str, Folders],
    valid: Folders,
    exclude: Folders,
) -> dict[str, Any]:
    """Return the tables of a configuration file with the options put before them.

    Parameters
    ----------
    config : pathlib.Path or None
        The file.
    training : mapping
        Settings of the table ``training``; None stands for what was not given.
    sets : mapping
        Folders of training data by kind; any of them replaces all that the file names.
    valid, exclude : list of str or None

    Raises
    ------
    UsageError
        The file cannot be read or is not of tables.
    """
    from ..training.config import read_toml

    held = read_toml(config) if config else {}
    for name in ("data", "training"):
        if not isinstance(held.setdefault(name, {}), dict):
            raise UsageError(f"{config}: {name} must be a table")
    given = {name: value for name, value in training.items() if value is not None}
    held["training"].update(given)
    if "steps" in given:
        held["training"]["epochs"] = given.get("epochs", 0.0)
    named = [{"kind": kind, "path": path} for kind, paths in sets.items() for path in paths or []]
    if named:
        held["data"]["sets"] = named
    if valid:
        held["data"]["valid"] = [{"kind": "stems", "path": path} for path in valid]
    if exclude:
        before = held["data"].get("exclude", [])
        if not isinstance(before, list):
            raise UsageError(f"{config}: data.exclude must be a list of patterns")
        held["data"]["exclude"] = [*before, *exclude]
    return held
