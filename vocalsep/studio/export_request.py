"""What a visitor wants to download, and how the file is named."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pydantic

from .error_messages import Code, StudioError

if TYPE_CHECKING:
    from .library import LibrarySong

Gain = Annotated[float, pydantic.Field(ge=0, le=1, description="Linear gain.")]
Seconds = Annotated[float, pydantic.Field(ge=0, le=1e6, description="Seconds of the song at its own tempo.")]
Key = Annotated[float, pydantic.Field(ge=-12, le=12, description="Semitones.")]
Tempo = Annotated[float, pydantic.Field(ge=50, le=200, description="Percent of the song's tempo.")]
HexId = Annotated[str, pydantic.Field(pattern="^[0-9a-f]{16}$")]
StemName = Literal["vocals", "accompaniment"]

SHIFTED = ("key", "tempo")
PASSAGE = ("start", "end")
LEVELS = ("vocals", "accompaniment")
# The fields that matter to each kind; others are ignored.
FIELDS_OF_KIND: dict[str, tuple[str, ...]] = {
    "mix": ("format", *LEVELS, *SHIFTED, *PASSAGE),
    "stem": ("stem", "format", *SHIFTED, *PASSAGE),
    "stems": ("format", *SHIFTED, *PASSAGE),
    "stem_file": (),
    "video": (*LEVELS, *SHIFTED, "words"),
    "recording": ("recording", "format", *LEVELS, *SHIFTED, *PASSAGE),
}
MEDIA_TYPES = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".mp4": "video/mp4",
    ".zip": "application/zip",
}


class ExportRequest(pydantic.BaseModel):
    """A file to make of a song that is done.

    Parameters
    ----------
    kind : str
        `mix`, `stem`, `stems` (a zip archive), `stem_file`, `video` or `recording`.
    format : str
    stem : str
        Of kind `stem`.
    vocals, accompaniment : float
        Linear gains.
    key, tempo : float
        Semitones and percent.
    start, end : float or None
        A passage, in seconds of the song at its own tempo.
    words : str
        Of kind `video`: `none` copies the picture of a video, `burnt` writes the words into the picture, `subtitles`
        adds them as a stream.
    recording : str or None
        The id of the recording that is mixed in.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["mix", "stem", "stems", "stem_file", "video", "recording"]
    format: Literal["wav", "flac", "mp3", "m4a"] = "mp3"
    stem: StemName = "vocals"
    vocals: Gain = 0.0
    accompaniment: Gain = 1.0
    key: Key = 0.0
    tempo: Tempo = 100.0
    start: Seconds | None = None
    end: Seconds | None = None
    words: Literal["none", "burnt", "subtitles"] = "none"
    recording: HexId | None = None

    def simplified(self, duration: float) -> ExportRequest:
        """Return the request without what makes no difference, so that requests for the same file are equal.

        Parameters
        ----------
        duration : float
            Of the song in seconds.

        Raises
        ------
        StudioError
            The passage is empty, or the recording is not named.
        """
        wanted: dict[str, Any] = {"kind": self.kind}
        wanted |= {name: getattr(self, name) for name in FIELDS_OF_KIND[self.kind]}
        digits = {**dict.fromkeys((*LEVELS, *PASSAGE), 3), "key": 2, "tempo": 1}
        for name, count in digits.items():
            if wanted.get(name) is not None:
                # The sum makes 0 of -0.
                wanted[name] = round(wanted[name], count) + 0.0
        if wanted.get("words") == "none":
            # A picture is copied at its own speed.
            wanted.pop("tempo", None)
        start, end = wanted.get("start") or 0.0, wanted.get("end")
        if end is not None and end <= start:
            raise StudioError(Code.PASSAGE_EMPTY)
        if start >= duration:
            raise StudioError(Code.PASSAGE_AFTER_END, seconds=round(duration, 1))
        if wanted.get("start") == 0:
            wanted["start"] = None
        if end is not None and end >= duration:
            wanted["end"] = None
        if self.kind == "recording" and self.recording is None:
            raise StudioError(Code.RECORDING_NOT_NAMED)
        return ExportRequest(**wanted)


def download_name(song: LibrarySong, request: ExportRequest, suffix: str) -> str:
    """Return the name of a file to download: the song's, and levels, key, tempo and passage where they are not usual.

    Parameters
    ----------
    song : LibrarySong
    request : ExportRequest
    suffix : str
        Of the file, with its dot.
    """
    marks: list[str] = []
    if request.kind == "stem":
        marks.append(request.stem)
    elif request.kind == "stems":
        marks.append("stems")
    elif request.kind in ("mix", "video", "recording"):
        marks.append(_levels(request.vocals, request.accompaniment))
    if request.words != "none":
        marks.append("with words" if request.words == "burnt" else "with subtitles")
    if request.kind == "recording":
        marks.append("with recording")
    if request.key:
        marks.append(f"key {request.key:+g}")
    if request.tempo != 100:
        marks.append(f"tempo {request.tempo:g}%")
    if request.start is not None or request.end is not None:
        end = song.duration if request.end is None else request.end
        marks.append(f"{_time(request.start or 0.0)} to {_time(end or 0.0)}")
    mark = f" ({', '.join(marks)})" if marks else ""
    return f"{file_name(song)}{mark}{suffix}"


def title_mark(request: ExportRequest) -> str:
    """Return what is added to the title in the tags: what the file is."""
    if request.kind == "stem":
        return request.stem.capitalize()
    if request.kind in ("mix", "video"):
        return _levels(request.vocals, request.accompaniment).capitalize()
    return "With recording" if request.kind == "recording" else ""


def file_name(song: LibrarySong) -> str:
    """Return a song's artist and title, or its name without suffix, safe as part of a file name on any system."""
    bare = " - ".join(part for part in (song.artist, song.title) if part) if song.title else ""
    bare = bare or pathlib.PurePath(song.name).stem
    safe = "".join("_" if letter in '<>:"/\\|?*' or not letter.isprintable() else letter for letter in bare)
    return safe.strip(" .")[:150].strip(" .") or "song"


def _levels(vocals: float, accompaniment: float) -> str:
    if vocals == 0:
        return "karaoke" if accompaniment == 1 else f"karaoke at {_percent(accompaniment)}"
    if accompaniment == 0:
        return "voice" if vocals == 1 else f"voice at {_percent(vocals)}"
    if vocals == accompaniment == 1:
        return "mix"
    return f"voice at {_percent(vocals)}" + ("" if accompaniment == 1 else f", band at {_percent(accompaniment)}")


def _percent(gain: float) -> str:
    return f"{100 * gain:.3g}%"


def _time(seconds: float) -> str:
    # A colon is no part of a file name on Windows.
    return f"{int(seconds) // 60}m{seconds % 60:04.1f}s".replace(".0s", "s")
