"""What is written for an input file: which mix of its stems, in which encoding, and where."""

from __future__ import annotations

import dataclasses
import pathlib

from ..audio.formats import Format
from ..dsp.exact_sum import STEMS
from ..errors import UsageError
from ..karaoke_video import VideoSettings
from .remote import exists
from .time_range import TimeRange

KARAOKE_VIDEO_SUFFIX = ".mp4"


@dataclasses.dataclass(frozen=True)
class Encoding:
    """How outputs are encoded.

    Parameters
    ----------
    format : Format
    subtype : str or None
        Sample type; None for the input's own.
    bitrate : int
        Bits per second of a lossy stereo output.
    """

    format: Format
    subtype: str | None = None
    bitrate: int = 256_000


@dataclasses.dataclass(frozen=True)
class StemMix:
    """What an output holds: a mix of the stems, or with the name ``stems`` the mixture and all stems separately.

    Parameters
    ----------
    name : str
        Name of the output, as in file names and summaries.
    title_suffix : str
        Appended to the title in the tags; may be empty.
    vocals, accompaniment : float
        Linear gains.
    video : str
        Suffix of a container such as ``.mkv``: the output is a copy of the input's video with this sound.
    key : float
        Transposition in semitones.
    tempo : float
        Percent of the input's tempo.
    karaoke_video : VideoSettings, optional
        The output is a new video with this sound and the words of the song.
    """

    name: str
    title_suffix: str
    vocals: float
    accompaniment: float
    video: str = ""
    key: float = 0.0
    tempo: float = 100.0
    karaoke_video: VideoSettings | None = None

    @property
    def container(self) -> str:
        """Suffix of the video that the output is; empty for sound alone."""
        return KARAOKE_VIDEO_SUFFIX if self.karaoke_video is not None else self.video

    @property
    def shifted(self) -> bool:
        """Whether key or tempo differ from the input's."""
        return self.key != 0 or self.tempo != 100


@dataclasses.dataclass(frozen=True)
class OutputSpec:
    """One output file: what it holds, and where it goes.

    Parameters
    ----------
    mix : StemMix
    target : pathlib.Path
        The file on this machine.
    url : str
        Where the file is copied to in the end; empty for a file that stays on this machine.
    """

    mix: StemMix
    target: pathlib.Path
    url: str = ""

    @property
    def location(self) -> str:
        """The path or URL where the user finds it."""
        return self.url or str(self.target)

    @property
    def exists(self) -> bool:
        """Whether the file exists; raises OutputError where that cannot be found out."""
        return exists(self.url) if self.url else self.target.exists()


@dataclasses.dataclass(frozen=True)
class WriteOptions:
    """How all outputs of a run are written.

    Parameters
    ----------
    encoding : Encoding
    overwrite : bool
        Replace existing files.
    skip_existing : bool
        Leave existing files as they are.
    salvage : bool
        Decode what can be decoded of damaged inputs.
    audio_stream : str or None
        Which audio stream of the inputs is separated, see `audio.selection.chosen_stream`; None for the default one.
    time_range : TimeRange or None
        Separate only this part of each input; None for all of it.
    """

    encoding: Encoding
    overwrite: bool = False
    skip_existing: bool = False
    salvage: bool = False
    audio_stream: str | None = None
    time_range: TimeRange | None = None


def single_stem(name: str) -> StemMix:
    """Return the mix that is one stem alone; raises UsageError for a name other than those in `STEMS`."""
    if name not in STEMS:
        raise UsageError(f"unknown stem {name!r}; choose vocals or accompaniment")
    return StemMix(name, name.capitalize(), float(name == "vocals"), float(name == "accompaniment"))


def all_stems() -> StemMix:
    """Return what a ``.stem.mp4`` file holds: the mixture and each stem."""
    return StemMix("stems", "", 1.0, 1.0)
