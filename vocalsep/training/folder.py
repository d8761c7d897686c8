"""The folder that a run lives in."""

from __future__ import annotations

import csv
import io
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from ..errors import OutputError, UsageError
from ..system.atomic_files import reason, write_text

COLUMNS = (
    "step",
    "examples",
    "seconds",
    "lr",
    "loss",
    "gradient_norm",
    "data_wait",
    "faults",
    "vocals_usdr_db",
    "accompaniment_usdr_db",
)


class RunFolder:
    """Paths and small files of a run.

    ``config.toml``, ``data.json`` (what is trained and validated on), ``log.csv``, ``tensorboard/``, ``curve.png``,
    ``last.safetensors`` (the checkpoint that `--resume` goes on from), ``best.safetensors`` (the same at the best
    validation), and ``model.safetensors``, which `vocalsep split --model` takes; after semi-supervised training
    ``supervised.safetensors`` too, the best model of the supervised training before it.

    Parameters
    ----------
    path : pathlib.Path
    """

    def __init__(self, path: pathlib.Path):
        self.path = path
        self.config = path / "config.toml"
        self.data = path / "data.json"
        self.log = path / "log.csv"
        self.events = path / "tensorboard"
        self.curve = path / "curve.png"
        self.last = path / "last.safetensors"
        self.best = path / "best.safetensors"
        self.model = path / "model.safetensors"
        self.supervised = path / "supervised.safetensors"

    def held_config(self) -> pathlib.Path:
        """Return the configuration of the run that is here; raises UsageError if there is none."""
        if not self.config.is_file():
            raise UsageError(f"{self.path}: holds no run to resume (no config.toml); --out names the folder of one")
        return self.config

    def begin(self) -> None:
        """Make the folder of a new run.

        Raises
        ------
        UsageError
            A run is there already.
        OutputError
            The folder cannot be made.
        """
        if self.config.exists() or self.last.exists():
            raise UsageError(
                f"{self.path} holds a run already; --resume goes on with it, another --out begins a new one"
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be made ({reason(error)})") from None

    def write_config(self, tables: Mapping[str, Any]) -> None:
        """Write the run's configuration, as ``--config`` takes it; raises OutputError."""
        import tomli_w

        write_text(self.config, tomli_w.dumps(_listed(tables)))

    def write_data(self, described: Mapping[str, Any]) -> None:
        """Write what the run trains and validates on; raises OutputError."""
        write_text(self.data, json.dumps(described, indent=2, ensure_ascii=False) + "\n")

    def rows(self) -> list[dict[str, str]]:
        """Return the rows of the log."""
        if not self.log.is_file():
            return []
        with self.log.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def cut_log(self, step: int) -> None:
        """Drop what was logged after a step, as the steps after it are done again; raises OutputError."""
        kept = [row for row in self.rows() if (row["step"] or "").isdigit() and int(row["step"]) <= step]
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows(kept)
        write_text(self.log, text.getvalue())

    def append_log(self, row: Mapping[str, Any]) -> None:
        """Add a row to the log; raises OutputError."""
        try:
            with self.log.open("a", encoding="utf-8", newline="") as file:
                csv.DictWriter(file, COLUMNS).writerow(row)
        except OSError as error:
            raise OutputError(f"{self.log}: cannot be written ({reason(error)})") from None


def _listed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _listed(held) for key, held in value.items()}
    return [_listed(held) for held in value] if isinstance(value, tuple | list) else value
