"""Options that several commands share, as frozen dataclasses that commands inherit from; see `command`."""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import TYPE_CHECKING, Annotated

import typer

from ..inference.devices import BackendName, Device, Precision

if TYPE_CHECKING:
    from ..inference.engine import EngineSettings
    from ..jobs.outputs import Encoding, WriteOptions
    from ..jobs.time_range import TimeRange

DEFAULT_OUT = "separated"
STREAM = "-"


def finite(value: float | None) -> float | None:
    """Refuse NaN and infinity, which pass the bounds of an option; raises typer.BadParameter."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number.")
    return value


def time_s(text: str) -> float:
    """Return a time such as 83.5 or 1:23.5 in seconds; raises typer.BadParameter."""
    from ..errors import UsageError
    from ..jobs.time_range import parse_time

    try:
        return parse_time(text)
    except UsageError as error:
        raise typer.BadParameter(f"{error}.") from None


class ProgressStyle(str, enum.Enum):
    """How progress is shown on standard error."""

    BAR = "bar"
    JSON = "json"


class Runner(str, enum.Enum):
    """What runs the jobs: processes of this machine, or a Ray cluster."""

    LOCAL = "local"
    RAY = "ray"


Model = Annotated[
    str, typer.Option("--model", metavar="MODEL", help="A name that `vocalsep models` lists, or a model file.")
]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads; default: all cores.")]
Backend = Annotated[
    BackendName,
    typer.Option("--backend", help="What computes the network; auto: ONNX Runtime where it is installed and can."),
]
NetworkPrecision = Annotated[
    Precision,
    typer.Option(
        "--precision", help="Precision of the network's products; the 16-bit ones are faster where there is hardware."
    ),
]
NameTemplate = Annotated[
    str,
    typer.Option(
        "--name",
        metavar="TEMPLATE",
        help="Output names: {name}, {source} (with its suffix), {folder}, {stem}, {ext}, {model}. What Windows or "
        "exFAT do not take becomes _.",
    ),
]
FormatName = Annotated[
    str | None,
    typer.Option("--format", metavar="FORMAT", help="wav, flac, ogg, opus, mp3 or m4a; split: stem.mp4 too."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
AudioStream = Annotated[
    str | None,
    typer.Option(
        "--audio-stream",
        metavar="N|LANG",
        help="Of files with several: a number as `vocalsep info` lists them, from 1, or a language such as jpn or ja; "
        "default: the stream marked as default, else the first.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print a machine-readable summary on standard output.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TimeRangeOptions:
    """Which part of a song is used."""

    start: Annotated[
        float | None,
        typer.Option(
            "--start", metavar="TIME", parser=time_s, help="Where to begin in the song, such as 83.5 or 1:23.5."
        ),
    ] = None
    duration: Annotated[
        float | None,
        typer.Option("--duration", metavar="TIME", parser=time_s, help="How much of the song to take from there."),
    ] = None

    @property
    def time_range(self) -> TimeRange | None:
        """The part of the song, None for all of it; raises UsageError."""
        from ..jobs.time_range import TimeRange

        whole = self.start is None and self.duration is None
        return None if whole else TimeRange(self.start or 0.0, self.duration)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """Where models run."""

    device: Annotated[Device, typer.Option("--device", help="Where the network runs.")] = Device.AUTO
    threads: Threads = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class EngineOptions(DeviceOptions):
    """Which model separates, and how it computes."""

    model: Model = "default"
    overlap: Annotated[
        float | None,
        typer.Option(
            "--overlap",
            min=0,
            metavar="SECONDS",
            help="Context that each chunk has on either side; default: all that matters. Less is faster. Models that "
            "take segments: the share of each that overlaps with the next, such as 0.25.",
        ),
    ] = None
    hard_mask: Annotated[
        bool,
        typer.Option(
            "--hard-mask", help="Give each time and frequency to one stem as a whole: drier, with more noise."
        ),
    ] = False
    backend: Backend = BackendName.AUTO
    precision: NetworkPrecision = Precision.FLOAT32

    def engine_settings(self) -> EngineSettings:
        """Return the settings of the engine that separates."""
        from ..inference.engine import EngineSettings

        return EngineSettings(
            self.model,
            device=self.device.value,
            threads=self.threads,
            overlap=self.overlap,
            hard=self.hard_mask,
            backend=self.backend.value,
            precision=self.precision.value,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """What a command prints."""

    as_json: Json = False
    quiet: Quiet = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class SeparationOptions(TimeRangeOptions, EngineOptions, ReportOptions):
    """The options of split and karaoke: which files are separated, and how outputs are written."""

    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH", help="Songs, videos, folders, patterns, URLs, or - for standard input."),
    ]
    out: Annotated[
        str, typer.Option("-o", "--out", metavar="FOLDER", help="Output folder or URL, or - for standard output.")
    ] = DEFAULT_OUT
    name: NameTemplate
    format_name: FormatName = None
    subtype: Annotated[
        str | None,
        typer.Option(
            "--subtype",
            metavar="TYPE",
            help="Sample type: pcm_u8, pcm_16, pcm_24, pcm_32, float or double; default: as the input.",
        ),
    ] = None
    bitrate: Annotated[
        str, typer.Option("--bitrate", metavar="RATE", help="Bit rate of a lossy stereo output, such as 192k.")
    ] = "256k"
    recursive: Annotated[bool, typer.Option("-r", "--recursive", help="Look into subfolders too.")] = False
    skip_existing: Annotated[bool, typer.Option("--skip-existing", help="Pass over songs whose outputs exist.")] = False
    overwrite: Overwrite = False
    salvage: Annotated[bool, typer.Option("--salvage", help="Take what can be decoded of damaged files.")] = False
    audio_stream: AudioStream = None
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, help="Songs at a time, in processes that share the cores out among them.")
    ] = 1
    progress: Annotated[
        ProgressStyle,
        typer.Option("--progress", help="On standard error: bars on a terminal; or json: a line now and then."),
    ] = ProgressStyle.BAR
    engine: Annotated[
        Runner, typer.Option("--engine", help="local; or ray: on the Ray cluster that RAY_ADDRESS names.")
    ] = Runner.LOCAL

    @property
    def to_stdout(self) -> bool:
        """Whether the output goes to standard output."""
        return self.out == STREAM

    def encoding(self) -> Encoding:
        """Return the encoding of outputs, WAV by default; raises UsageError."""
        from ..audio.formats import output_format
        from ..jobs.outputs import Encoding

        output = output_format(self.format_name or "wav")
        output.subtype_for("FLOAT", self.subtype)
        return Encoding(output, self.subtype, _bits_per_second(self.bitrate))

    def write_options(self, encoding: Encoding) -> WriteOptions:
        """Return how outputs are written; raises UsageError."""
        from ..jobs.outputs import WriteOptions

        return WriteOptions(
            encoding,
            overwrite=self.overwrite,
            skip_existing=self.skip_existing,
            salvage=self.salvage,
            audio_stream=self.audio_stream,
            time_range=self.time_range,
        )


def _bits_per_second(text: str) -> int:
    from ..errors import UsageError

    number, factor = (text[:-1], 1000) if text[-1:] in "kK" else (text, 1)
    try:
        bits = round(float(number) * factor)
    except (ValueError, OverflowError):
        raise UsageError(f"--bitrate {text!r} is not understood; write it as 256k") from None
    if not 8000 <= bits <= 512000:
        raise UsageError(f"--bitrate {text} is out of range; 8k to 512k")
    return bits
