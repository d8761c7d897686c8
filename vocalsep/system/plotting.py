"""Figures that are drawn without a display."""

from __future__ import annotations

import io
import pathlib
from typing import TYPE_CHECKING

from ..errors import OutputError
from .atomic_files import Pending, reason

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: pathlib.Path, overwrite: bool, dpi: int = 90) -> None:
    """Write a figure in the format of its suffix, with so many dots per inch; raises OutputError."""
    with Pending(path, overwrite=overwrite) as pending:
        try:
            figure.savefig(pending.path, dpi=dpi)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({reason(error)})") from None
        pending.commit()


def as_png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG."""
    memory = io.BytesIO()
    figure.savefig(memory, dpi=110, format="png")
    return memory.getvalue()
