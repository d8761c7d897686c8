"""The folder of a run."""

from __future__ import annotations

import csv
import io
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from ..errors import OutputError, UsageError
from ..system.atomic_files import os_error_text, write_text

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
    ``last.safetensors`` (the checkpoint from which a run is resumed), ``best.safetensors`` (the same at the best
    validation), and ``model.safetensors``, the exported model; after semi-supervised training
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

    def existing_config(self) -> pathlib.Path:
        """Return the path of the configuration of an existing run; raises UsageError if there is none."""
        if not self.config.is_file():
            raise UsageError("holds no run to resume (no config.toml)", path=self.path, hint="give the folder of one")
        return self.config

    def create(self) -> None:
        """Create the folder of a new run.

        Raises
        ------
        UsageError
            The folder holds a run already.
        OutputError
            The folder cannot be created.
        """
        if self.config.exists() or self.last.exists():
            raise UsageError(
                "holds a run already", path=self.path, hint="resume it, or give another folder to a new one"
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot be made ({os_error_text(error)})", path=self.path) from None

    def write_config(self, tables: Mapping[str, Any]) -> None:
        """Write the run's configuration as TOML; raises OutputError."""
        import tomli_w

        write_text(self.config, tomli_w.dumps(_listed(tables)))

    def write_data(self, summary: Mapping[str, Any]) -> None:
        """Write the description of the training and validation data; raises OutputError."""
        write_text(self.data, json.dumps(summary, indent=2, ensure_ascii=False) + "\n")

    def rows(self) -> list[dict[str, str]]:
        """Return the rows of the log."""
        if not self.log.is_file():
            return []
        with self.log.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def cut_log(self, step: int) -> None:
        """Drop the rows after a step, because these steps will be repeated; raises OutputError."""
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
            raise OutputError(f"cannot be written ({os_error_text(error)})", path=self.log) from None


def _listed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _listed(entry) for key, entry in value.items()}
    return [_listed(entry) for entry in value] if isinstance(value, tuple | list) else value
