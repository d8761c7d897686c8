"""What vocalsep reads and writes: suffixes, output formats, sample types, and what each format can hold."""

from __future__ import annotations

import dataclasses

from ..errors import AudioError, UsageError
from .layouts import order_in, speakers_of

AUDIO_SUFFIXES = frozenset(
    [
        ".wav",
        ".wave",
        ".rf64",
        ".w64",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".mp3",
        ".mp2",
        ".m4a",
        ".m4b",
        ".aac",
        ".aif",
        ".aiff",
        ".aifc",
        ".au",
        ".snd",
        ".caf",
        ".wma",
        ".ape",
        ".wv",
        ".tta",
        ".ac3",
        ".eac3",
        ".dts",
        ".amr",
        ".mka",
        ".alac",
    ]
)
VIDEO_SUFFIXES = frozenset(
    [".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".flv", ".mpg", ".mpeg", ".ts", ".3gp", ".ogv"]
)

SONG_SUFFIXES = AUDIO_SUFFIXES | VIDEO_SUFFIXES

INTEGER_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
FLOAT_SUBTYPES = ("FLOAT", "DOUBLE")
SAMPLE_BYTES = {**{name: bits // 8 for name, bits in INTEGER_BITS.items()}, "FLOAT": 4, "DOUBLE": 8}


@dataclasses.dataclass(frozen=True)
class Format:
    """One output format.

    Parameters
    ----------
    name, suffix : str
        As the user names it, and as files end.
    subtypes : tuple of str
        Sample types that a lossless format can hold; empty for a lossy one.
    codec, container : str
        FFmpeg's names where PyAV writes the format, empty where libsndfile does.
    rates : tuple of int
        The only rates in Hz that the format can hold; empty for any.
    channels : int
        Most channels that it can hold.
    layouts : tuple of str
        The only channel layouts that it can hold; empty for any.
    unnamed : tuple of str
        Layouts that it can hold besides, without players being told which they are.
    highest : int
        Highest rate in Hz that it can hold, where it can hold any other; 0 for no limit.
    """

    name: str
    suffix: str
    subtypes: tuple[str, ...] = ()
    codec: str = ""
    container: str = ""
    rates: tuple[int, ...] = ()
    channels: int = 8
    layouts: tuple[str, ...] = ()
    unnamed: tuple[str, ...] = ()
    highest: int = 0

    @property
    def lossy(self) -> bool:
        """Whether decoding gives other samples than were written."""
        return not self.subtypes

    def rate_for(self, sample_rate: int) -> int:
        """The rate to write at: `sample_rate` where the format can hold it, else the next that it can."""
        if not self.rates:
            return min(sample_rate, self.highest or sample_rate)
        if sample_rate in self.rates:
            return sample_rate
        return min((rate for rate in self.rates if rate > sample_rate), default=max(self.rates))

    def subtype_for(self, source: str, asked: str | None) -> str | None:
        """The sample type to write: the one asked for, else the source's own, else the finest there is.

        Raises
        ------
        UsageError
            `asked` is not a type that this format holds.
        """
        if asked is not None:
            if asked.upper() not in self.subtypes:
                holds = ", ".join(self.subtypes).lower() or "one sample type only; leave --subtype out"
                raise UsageError(f"{self.name} cannot hold {asked.lower()}: it holds {holds}")
            return asked.upper()
        if self.lossy:
            return None
        if source in self.subtypes:
            return source
        same_depth = [s for s in self.subtypes if INTEGER_BITS.get(s) == INTEGER_BITS.get(source, 0)]
        return same_depth[0] if same_depth else "PCM_24"

    def fitted(self, channels: int, layout: str = "") -> Fitted:
        """Return how channels of a layout, empty for an unknown one, lie in this format.

        Raises
        ------
        AudioError
            It cannot hold so many channels, or not these.
        """
        if channels > self.channels:
            wide = [other.name for other in FORMATS.values() if other.channels >= channels]
            raise AudioError(
                f"{self.name} holds at most {self.channels} channels, not {channels}; use {', '.join(wide)}"
            )
        fitted = self._fit(channels, layout)
        if fitted is None:
            wide = [other.name for other in FORMATS.values() if other._fit(channels, layout)]
            raise AudioError(
                f"{self.name} has no place for the channels {'+'.join(speakers_of(layout, channels))}"
                f"{f' ({layout})' if layout and '+' not in layout else ''}; use {', '.join(wide)}"
            )
        return fitted

    def _fit(self, channels: int, layout: str) -> Fitted | None:
        if channels > self.channels:
            return None
        if not self.layouts:
            return Fitted(layout, tuple(range(channels)))
        for target in (*self.layouts, *self.unnamed):
            order = order_in(layout, channels, target)
            if order is not None:
                return Fitted(target, order, named=target in self.layouts)
        return None


@dataclasses.dataclass(frozen=True)
class Fitted:
    """How channels lie in a file: its layout, which of the source's is its first, second ..., and whether it says so.

    The layout is empty for an unknown one in a format that holds any.
    """

    layout: str
    order: tuple[int, ...]
    named: bool = True


_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
# Vorbis and Opus have one layout for each number of channels.
_OGG_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")
# AAC has numbers for a few layouts. The channels of others are listed, which players read, but few give them a name.
_AAC_LAYOUTS = ("mono", "stereo", "2.1", "3.0", "4.0", "quad", "5.0", "5.1", "7.1")
_AAC_UNNAMED = (
    *("3.0(back)", "3.1", "4.1", "6.0", "hexagonal", "6.1", "6.1(front)"),
    *("7.0", "7.0(front)", "7.1(wide)", "7.1(wide-side)", "octagonal"),
)

FORMATS = {
    form.name: form
    for form in (
        Format("wav", ".wav", ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")),
        Format("flac", ".flac", ("PCM_S8", "PCM_16", "PCM_24")),
        Format("ogg", ".ogg", layouts=_OGG_LAYOUTS, highest=192000),
        Format("opus", ".opus", codec="libopus", container="opus", rates=(48000,), layouts=_OGG_LAYOUTS),
        Format("mp3", ".mp3", codec="libmp3lame", container="mp3", rates=_MP3_RATES, channels=2),
        Format(
            "m4a",
            ".m4a",
            codec="aac",
            container="ipod",
            rates=_AAC_RATES,
            layouts=_AAC_LAYOUTS,
            unnamed=_AAC_UNNAMED,
        ),
        Format("stem.mp4", ".stem.mp4", codec="aac", container="mp4", rates=_AAC_RATES, channels=2),
    )
}


def output_format(name: str) -> Format:
    """Look up an output format by name; raises UsageError for an unknown one."""
    try:
        return FORMATS[name.lower().removeprefix(".")]
    except KeyError:
        raise UsageError(f"unknown format {name!r}; choose one of {', '.join(FORMATS)}") from None
