"""Options of the commands that train, and the configuration that they make up."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Annotated, Any

import typer

from ..errors import UsageError
from .options import DeviceOptions, Quiet

Folders = list[str] | None


def folder_option(name: str, description: str) -> Any:
    """Return an option that takes folders of data."""
    return typer.Option(name, metavar="FOLDER", help=f"{description} May be given several times.")


CacheFolder = Annotated[
    pathlib.Path | None,
    typer.Option("--cache", metavar="FOLDER", help="Folder for seekable copies. [stem-cache beside the run]"),
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Folders of training data by kind, and what is validated on."""

    musdb: Annotated[Folders, folder_option("--musdb", "MUSDB18 (.stem.mp4) or MUSDB18-HQ (wav).")] = None
    stems: Annotated[Folders, folder_option("--stems", "Songs, one folder each: vocals.* and accompaniment.*.")] = None
    voices: Annotated[Folders, folder_option("--voices", "Solo singing.")] = None
    instrumentals: Annotated[Folders, folder_option("--instrumentals", "Music without vocals.")] = None
    pairs: Annotated[Folders, folder_option("--pairs", "Releases, one folder each: original.* and instrumental.*.")] = (
        None
    )
    noise: Annotated[Folders, folder_option("--noise", "Noise, added to mixtures only.")] = None
    valid: Annotated[Folders, folder_option("--valid", "Songs with stems to validate on; else some are held out.")] = (
        None
    )
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="PATTERN", help="Songs and files never to use.")
    ] = None

    @property
    def folders(self) -> dict[str, Folders]:
        """Folders of training data by kind."""
        return {
            "musdb": self.musdb,
            "stems": self.stems,
            "voices": self.voices,
            "instrumentals": self.instrumentals,
            "pairs": self.pairs,
            "noise": self.noise,
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingOptions(DataOptions, DeviceOptions):
    """The options of train and compare."""

    config: Annotated[
        pathlib.Path | None,
        typer.Option("--config", metavar="FILE.toml", help="Configuration file; other options replace its settings."),
    ] = None
    batch_size: Annotated[int | None, typer.Option("--batch-size", help="Examples per step. [8]")] = None
    lr: Annotated[float | None, typer.Option("--lr", metavar="RATE", help="Largest learning rate. [0.001]")] = None
    loss: Annotated[
        str | None, typer.Option("--loss", metavar="LOSS", help="Such as l1, or a sum: l1+0.1*sdr. [l1]")
    ] = None
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of all random numbers. [1]")] = None
    precision: Annotated[
        str | None,
        typer.Option("--precision", metavar="PRECISION", help="auto, float32, bfloat16, float16, float64. [auto]"),
    ] = None
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes that make examples.")] = 2
    cache: CacheFolder = None
    quiet: Quiet = False

    @property
    def training_settings(self) -> dict[str, Any]:
        """Settings of the configuration's table ``training``; None stands for those that were not given."""
        return {
            "batch_size": self.batch_size,
            "lr": self.lr,
            "loss": self.loss,
            "seed": self.seed,
            "precision": self.precision,
        }

    def tables(self) -> dict[str, Any]:
        """Return the tables of the configuration file, with the options put before its settings.

        Folders of data replace all that the file names.

        Raises
        ------
        UsageError
            The file cannot be read, or does not consist of tables.
        """
        from ..training.config import read_toml

        tables = read_toml(self.config) if self.config else {}
        for name in ("data", "training"):
            if not isinstance(tables.setdefault(name, {}), dict):
                raise UsageError(f"{name} must be a table", path=self.config)
        given = {name: value for name, value in self.training_settings.items() if value is not None}
        tables["training"].update(given)
        if "steps" in given:
            tables["training"]["epochs"] = given.get("epochs", 0.0)
        sets = [{"kind": kind, "path": path} for kind, paths in self.folders.items() for path in paths or []]
        if sets:
            tables["data"]["sets"] = sets
        if self.valid:
            tables["data"]["valid"] = [{"kind": "stems", "path": path} for path in self.valid]
        if self.exclude:
            patterns = tables["data"].get("exclude", [])
            if not isinstance(patterns, list):
                raise UsageError("data.exclude must be a list of patterns", path=self.config)
            tables["data"]["exclude"] = [*patterns, *self.exclude]
        return tables
