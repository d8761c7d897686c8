"""The log of a run: its table, TensorBoard events, and the picture of its curves."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..system.plotting import new_figure, save
from .events import EventLog
from .folder import COLUMNS, RunFolder

# Drawing takes as long as several steps of a small network.
REDRAWN_AFTER_S = 10.0


class RunLog:
    """Writes the log of a run; only its first process has one.

    Parameters
    ----------
    folder : RunFolder
    step : int
        Step at which the run starts or resumes.
    """

    def __init__(self, folder: RunFolder, step: int):
        self.folder = folder
        folder.cut_log(step)
        self.events = EventLog(folder.events, step)
        self._drawn_at = time.monotonic()
        self._drawn = True

    def write(self, row: Mapping[str, Any]) -> None:
        """Log one row: values by the names of `folder.COLUMNS`; unknown ones are left out."""
        self.folder.append_log({name: _short(row.get(name, "")) for name in COLUMNS})
        self.events.write(row["step"], {name: row[name] for name in row if name not in ("step", "examples")})

    def draw(self) -> None:
        """Draw the picture of loss and validation SDR over steps, unless that was a moment ago."""
        self._drawn = time.monotonic() - self._drawn_at > REDRAWN_AFTER_S
        if self._drawn:
            draw_curve(self.folder)
            self._drawn_at = time.monotonic()

    def finish(self) -> None:
        """Draw the picture if it lacks a validation."""
        if not self._drawn:
            draw_curve(self.folder)

    def close(self) -> None:
        """Close the event file."""
        self.events.close()


def draw_curve(folder: RunFolder) -> None:
    """Draw a run's log as a picture, ``curve.png``; raises OutputError."""
    rows = folder.rows()
    figure = new_figure(9, 4.5)
    losses, scores = figure.subplots(1, 2)
    losses.plot(*_column(rows, "loss"), color="#555555", linewidth=1)
    losses.set(xlabel="step", ylabel="training loss", title="loss")
    for name, colour in (("vocals", "#d1495b"), ("accompaniment", "#30638e")):
        scores.plot(*_column(rows, f"{name}_usdr_db"), color=colour, marker=".", label=name)
    scores.set(xlabel="step", ylabel="uSDR in dB", title="validation")
    scores.legend()
    for axes in (losses, scores):
        axes.grid(alpha=0.3)
    save(figure, folder.curve, overwrite=True, dpi=120)


def _column(rows: list[dict[str, str]], name: str) -> tuple[list[int], list[float]]:
    known = [(int(row["step"]), float(row[name])) for row in rows if row.get(name)]
    return [step for step, _ in known], [value for _, value in known]


def _short(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value
