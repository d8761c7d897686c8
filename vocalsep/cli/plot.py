"""`vocalsep plot`."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import AudioError, UsageError
from . import options, session

if TYPE_CHECKING:
    import numpy as np

FORMATS = (".png", ".pdf", ".svg", ".jpg")
SHOWN_S, SHORTEST_S, LONGEST_S = 30.0, 0.1, 600.0


def plot(
    song: Annotated[str, typer.Argument(metavar="SONG", help="A song or a video.")],
    out: Annotated[
        pathlib.Path | None,
        typer.Option("-o", "--out", help="A .png, .pdf, .svg or .jpg. [the song's name, .png]"),
    ] = None,
    start: options.Start = None,
    duration: options.Duration = None,
    model: options.Model = "default",
    device: options.DeviceName = options.Device.AUTO,
    threads: options.Threads = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Draw the spectrograms of a song: mixture, mask, vocals and accompaniment."""
    with session.one_line_errors():
        path = session.on_this_machine(song)
        target = out or pathlib.Path(f"{path.stem}.png")
        if target.suffix.lower() not in FORMATS:
            raise UsageError(f"{target}: the picture's name ends in {', '.join(FORMATS)}")
        session.check_target(target, overwrite)
        begin, length = start or 0.0, SHOWN_S if duration is None else duration
        if not SHORTEST_S <= length <= LONGEST_S:
            raise UsageError(f"--duration {length:g} s cannot be shown; {SHORTEST_S:g} to {LONGEST_S:g} s")
        mixture, rate = _excerpt(path, begin, length)
        _draw(mixture, rate, begin, target, model, device.value, threads, overwrite)
        if not quiet:
            typer.echo(str(target))


def _excerpt(path: pathlib.Path, start: float, duration: float) -> tuple[np.ndarray, int]:
    from ..datasets.clips import open_clip

    clip = open_clip(path)
    first = round(start * clip.sample_rate)
    if first >= clip.samples:
        raise AudioError(f"{path}: --start {start:g} lies past its end at {clip.seconds:.1f} s")
    length = min(clip.samples - first, round(duration * clip.sample_rate))
    return clip.read(first, length), clip.sample_rate


def _draw(
    mixture: np.ndarray,
    rate: int,
    start: float,
    target: pathlib.Path,
    model: str,
    device: str,
    threads: int | None,
    overwrite: bool,
) -> None:
    import numpy as np

    from ..evaluation.plots import spectrograms
    from ..separator import Separator
    from ..system.plotting import save

    vocals, accompaniment = Separator(model, device=device, threads=threads).separate(mixture, rate)
    panels = {
        "mixture": mixture,
        "mask": np.stack([vocals, mixture]),
        "vocals": vocals,
        "accompaniment": accompaniment,
    }
    save(spectrograms(panels, rate, start), target, overwrite)
