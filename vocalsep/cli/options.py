"""Options that several commands share."""

from __future__ import annotations

import enum
import math
from typing import Annotated

import typer


def finite(value: float | None) -> float | None:
    """Refuse NaN and infinity, which no bounds of an option keep out; raises typer.BadParameter."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number.")
    return value


def time_s(text: str) -> float:
    """Understand a time such as 83.5 or 1:23.5, in seconds; raises typer.BadParameter."""
    from ..errors import UsageError
    from ..jobs.passage import seconds

    try:
        return seconds(text)
    except UsageError as error:
        raise typer.BadParameter(f"{error}.") from None


class Stem(str, enum.Enum):
    """Which stem to write."""

    VOCALS = "vocals"
    ACCOMPANIMENT = "accompaniment"


class Device(str, enum.Enum):
    """Where the network runs."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


class Backend(str, enum.Enum):
    """What computes the network."""

    AUTO = "auto"
    TORCH = "torch"
    ONNX = "onnx"


class Precision(str, enum.Enum):
    """How exactly the network's products are computed."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


class EngineKind(str, enum.Enum):
    """Where songs are worked on."""

    LOCAL = "local"
    RAY = "ray"


Paths = Annotated[
    list[str],
    typer.Argument(metavar="PATH...", help="Songs, videos, folders, patterns, URLs, or - for standard input."),
]
Out = Annotated[str, typer.Option("-o", "--out", help="Output folder or URL, or - for standard output.")]
Recursive = Annotated[bool, typer.Option("-r", "--recursive", help="Look into subfolders too.")]
Name = Annotated[
    str,
    typer.Option(
        "--name",
        help="Output names: {name}, {source} (with its suffix), {folder}, {stem}, {ext}, {model}. What Windows or "
        "exFAT do not take becomes _.",
    ),
]
FormatName = Annotated[
    str | None, typer.Option("--format", help="wav, flac, ogg, opus, mp3 or m4a; split: stem.mp4 too.")
]
Subtype = Annotated[
    str | None,
    typer.Option("--subtype", help="pcm_u8, pcm_16, pcm_24, pcm_32, float or double; default: as the input."),
]
Bitrate = Annotated[str, typer.Option("--bitrate", help="Of a lossy stereo output, such as 192k.")]
Model = Annotated[str, typer.Option("--model", help="A name that `vocalsep models` lists, or a model file.")]
DeviceName = Annotated[Device, typer.Option("--device", help="Where the network runs.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads; default: all cores.")]
Overlap = Annotated[
    float | None,
    typer.Option(
        "--overlap",
        min=0,
        help="Seconds that each chunk hears beyond either end; default: all that matters. Less is faster.",
    ),
]
HardMask = Annotated[
    bool,
    typer.Option("--hard-mask", help="Give each time and frequency to one stem as a whole: drier, with more noise."),
]
BackendName = Annotated[
    Backend,
    typer.Option("--backend", help="What computes the network; auto: ONNX Runtime where it is installed and can."),
]
PrecisionName = Annotated[
    Precision,
    typer.Option("--precision", help="Of products in the network; the 16-bit ones are faster where there is hardware."),
]
SkipExisting = Annotated[bool, typer.Option("--skip-existing", help="Pass over songs whose outputs exist.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
Salvage = Annotated[bool, typer.Option("--salvage", help="Take what can be decoded of damaged files.")]
AudioStream = Annotated[
    str | None,
    typer.Option(
        "--audio-stream",
        metavar="N|LANG",
        help="Of files with several: a number as `vocalsep info` lists them, from 1, or a language such as jpn or ja; "
        "default: the stream marked as default, else the first.",
    ),
]
Jobs = Annotated[
    int, typer.Option("--jobs", min=1, help="Songs at a time, in processes that share the cores out among them.")
]
EngineName = Annotated[
    EngineKind, typer.Option("--engine", help="local; or ray: on the Ray cluster that RAY_ADDRESS names.")
]
Start = Annotated[
    float | None,
    typer.Option("--start", metavar="TIME", parser=time_s, help="Where to begin in the song, such as 83.5 or 1:23.5."),
]
Duration = Annotated[
    float | None,
    typer.Option("--duration", metavar="TIME", parser=time_s, help="How much of the song to take from there."),
]
Json = Annotated[bool, typer.Option("--json", help="Print a machine-readable summary on standard output.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")]

DEFAULT_OUT = "separated"
