"""The suffixes that are read, the output formats, and which rates, sample types and channels each can hold."""

from __future__ import annotations

import dataclasses

from ..errors import AudioError, UsageError
from .layouts import channel_order, speakers_of

AUDIO_SUFFIXES = frozenset(
    [
        *(".wav", ".wave", ".bwf", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".voc", ".sph"),
        *(".flac", ".alac", ".ape", ".wv", ".tta", ".tak", ".shn", ".dsf", ".dff", ".mlp", ".thd", ".truehd"),
        *(".ogg", ".oga", ".opus", ".spx", ".mp3", ".mp2", ".mpga", ".m4a", ".m4b", ".m4r", ".m4p", ".aac", ".adts"),
        *(".loas", ".latm", ".ac3", ".eac3", ".dts", ".dtshd", ".wma", ".mpc", ".mka", ".weba", ".ra", ".oma", ".aa3"),
        *(".amr", ".awb", ".gsm", ".3ga"),
    ]
)
# Without .mod, which is a suffix of camcorder videos and of tracker music.
VIDEO_SUFFIXES = frozenset(
    [
        *(".mp4", ".m4v", ".mp4v", ".mov", ".qt", ".f4v", ".3gp", ".3gpp", ".3g2", ".3gp2", ".mj2", ".ismv", ".insv"),
        *(".lrv", ".mkv", ".mk3d", ".webm", ".avi", ".divx", ".xvid", ".wmv", ".asf", ".wtv", ".flv", ".ogv", ".ogm"),
        *(
            ".ogx",
            ".mpg",
            ".mpeg",
            ".mpe",
            ".m2p",
            ".vob",
            ".evo",
            ".tod",
            ".ts",
            ".m2ts",
            ".mts",
            ".m2t",
            ".tp",
            ".trp",
        ),
        *(".mxf", ".dv", ".rm", ".rmvb", ".nut", ".nsv"),
    ]
)

SONG_SUFFIXES = AUDIO_SUFFIXES | VIDEO_SUFFIXES

INTEGER_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
FLOAT_SUBTYPES = ("FLOAT", "DOUBLE")
MULTIPLE_HZ = 10
SAMPLE_BYTES = {**{name: bits // 8 for name, bits in INTEGER_BITS.items()}, "FLOAT": 4, "DOUBLE": 8}


@dataclasses.dataclass(frozen=True)
class Format:
    """One output format.

    Parameters
    ----------
    name, suffix : str
        Name on the command line, and suffix of files.
    subtypes : tuple of str
        Sample types of a lossless format; empty for a lossy one.
    codec, container : str
        FFmpeg's names of a format that PyAV writes; empty for one that libsndfile writes.
    rates : tuple of int
        Supported rates in Hz; empty for any.
    channels : int
        Largest number of channels.
    highest_rate : int
        Highest rate in Hz; 0 for no limit.
    multiples_above : int
        Rates above this one, in Hz, must be multiples of `MULTIPLE_HZ`; 0 for no limit.
    layouts : tuple of str
        Supported channel layouts; empty for any.
    unnamed_layouts : tuple of str
        Further layouts, whose name cannot be stored.
    """

    name: str
    suffix: str
    subtypes: tuple[str, ...] = ()
    codec: str = ""
    container: str = ""
    rates: tuple[int, ...] = ()
    channels: int = 8
    highest_rate: int = 0
    multiples_above: int = 0
    layouts: tuple[str, ...] = ()
    unnamed_layouts: tuple[str, ...] = ()

    @property
    def lossy(self) -> bool:
        """Whether decoded samples differ from those that were written."""
        return not self.subtypes

    def rate_for(self, sample_rate: int) -> int:
        """Return the rate to write at, in Hz: `sample_rate` where it is supported, else the next supported one."""
        if self.highest_rate and sample_rate > self.highest_rate:
            return self.highest_rate
        if self.multiples_above and sample_rate > self.multiples_above:
            return -(-sample_rate // MULTIPLE_HZ) * MULTIPLE_HZ
        if not self.rates or sample_rate in self.rates:
            return sample_rate
        return min((rate for rate in self.rates if rate > sample_rate), default=max(self.rates))

    def subtype_for(self, source: str, requested: str | None) -> str | None:
        """Return the sample type to write: the requested one, else that of the source, else the most precise one.

        Parameters
        ----------
        source : str
            Sample type of the source.
        requested : str, optional

        Raises
        ------
        UsageError
            This format has no such sample type.
        """
        if requested is not None:
            if requested.upper() not in self.subtypes:
                if self.lossy:
                    raise UsageError(
                        f"{self.name} cannot hold {requested.lower()}: it holds one sample type only",
                        hint="leave the subtype out",
                    )
                holds = ", ".join(self.subtypes).lower()
                raise UsageError(f"{self.name} cannot hold {requested.lower()}: it holds {holds}")
            return requested.upper()
        if self.lossy:
            return None
        if source in self.subtypes:
            return source
        same_depth = [s for s in self.subtypes if INTEGER_BITS.get(s) == INTEGER_BITS.get(source, 0)]
        return same_depth[0] if same_depth else "PCM_24"

    def map_channels(self, channels: int, layout: str = "") -> ChannelMap:
        """Map the channels of a layout to those of a file of this format.

        Parameters
        ----------
        channels : int
        layout : str
            Empty for an unknown layout.

        Raises
        ------
        AudioError
            The format does not support so many channels, or not this layout.
        """
        if channels > self.channels:
            others = [other.name for other in FORMATS.values() if other.channels >= channels]
            raise AudioError(
                f"{self.name} holds at most {self.channels} channels, not {channels}", hint=f"use {', '.join(others)}"
            )
        channel_map = self._map(channels, layout)
        if channel_map is None:
            others = [other.name for other in FORMATS.values() if other._map(channels, layout)]
            raise AudioError(
                f"{self.name} has no place for the channels {'+'.join(speakers_of(layout, channels))}"
                f"{f' ({layout})' if layout and '+' not in layout else ''}",
                hint=f"use {', '.join(others)}",
            )
        return channel_map

    def _map(self, channels: int, layout: str) -> ChannelMap | None:
        if channels > self.channels:
            return None
        if not self.layouts:
            return ChannelMap(layout, tuple(range(channels)))
        for target in (*self.layouts, *self.unnamed_layouts):
            order = channel_order(layout, channels, target)
            if order is not None:
                return ChannelMap(target, order, named=target in self.layouts)
        return None


@dataclasses.dataclass(frozen=True)
class ChannelMap:
    """Map the channels of a source to those of an output file.

    Parameters
    ----------
    layout : str
        Channel layout of the file; empty for an unknown one.
    order : tuple of int
        Index in the source of each channel of the file.
    named : bool
        Whether the file stores the name of the layout.
    """

    layout: str
    order: tuple[int, ...]
    named: bool = True


_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
# Vorbis and Opus have one layout for each number of channels.
_OGG_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")
# AAC has codes for a few layouts; for others it lists the channels, which few players show by name.
_AAC_LAYOUTS = ("mono", "stereo", "2.1", "3.0", "4.0", "quad", "5.0", "5.1", "7.1")
_AAC_UNNAMED_LAYOUTS = (
    *("3.0(back)", "3.1", "4.1", "6.0", "hexagonal", "6.1", "6.1(front)"),
    *("7.0", "7.0(front)", "7.1(wide)", "7.1(wide-side)", "octagonal"),
)

FORMATS = {
    form.name: form
    for form in (
        Format("wav", ".wav", ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")),
        # A FLAC frame stores its rate in 16 bits, in Hz or in tens of Hz.
        Format("flac", ".flac", ("PCM_S8", "PCM_16", "PCM_24"), multiples_above=65535),
        # libvorbis crashes at higher rates.
        Format("ogg", ".ogg", highest_rate=192000, layouts=_OGG_LAYOUTS),
        Format("opus", ".opus", codec="libopus", container="opus", rates=(48000,), layouts=_OGG_LAYOUTS),
        Format("mp3", ".mp3", codec="libmp3lame", container="mp3", rates=_MP3_RATES, channels=2),
        Format(
            "m4a",
            ".m4a",
            codec="aac",
            container="ipod",
            rates=_AAC_RATES,
            layouts=_AAC_LAYOUTS,
            unnamed_layouts=_AAC_UNNAMED_LAYOUTS,
        ),
        Format("stem.mp4", ".stem.mp4", codec="aac", container="mp4", rates=_AAC_RATES, channels=2),
    )
}


def output_format(name: str) -> Format:
    """Look up an output format by name; raises UsageError for an unknown one."""
    try:
        return FORMATS[name.lower().removeprefix(".")]
    except KeyError:
        raise UsageError(f"unknown format {name!r}", hint=f"choose one of {', '.join(FORMATS)}") from None
