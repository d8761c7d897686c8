"""Which of a file's audio streams is taken: the one that was asked for, else the default one, else the first."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

from ..errors import AudioError
from .languages import same_language
from .layouts import lasting_layout

# Native Instruments' Stem files hold the mixture first, whatever their other streams are marked as.
STEM_SUFFIX = ".stem.mp4"
NO_LANGUAGE = ("", "und", "unk")


@dataclasses.dataclass(frozen=True)
class AudioStream:
    """One audio stream of a file: its number (from 1), and what the container says of it; texts may be empty."""

    number: int
    codec: str
    channels: int
    sample_rate: int
    language: str = ""
    title: str = ""
    default: bool = False

    @property
    def known(self) -> list[str]:
        """What a person tells it by, in words."""
        channels = f"{self.channels} channel{'s' if self.channels != 1 else ''}"
        return [word for word in (self.language, self.title, channels, "default" if self.default else "") if word]

    def __str__(self) -> str:
        return f"{self.number} ({', '.join(self.known)})"


def is_stem_file(path: pathlib.Path) -> bool:
    """Whether a file's name says that it is one of Native Instruments' Stem files."""
    return path.name.lower().endswith(STEM_SUFFIX)


def audio_streams(container: Any) -> tuple[AudioStream, ...]:
    """Describe the audio streams of an open PyAV container, in its order."""
    described = []
    for number, stream in enumerate(container.streams.audio, 1):
        context = stream.codec_context
        language = stream.metadata.get("language", "")
        described.append(
            AudioStream(
                number,
                "unknown" if context is None else context.name,
                0 if context is None else lasting_layout(context).nb_channels,
                0 if context is None else context.sample_rate,
                "" if language in NO_LANGUAGE else language,
                stream.metadata.get("title", ""),
                bool(stream.disposition & stream.disposition.default),
            )
        )
    return tuple(described)


def chosen_stream(streams: Sequence[AudioStream], asked: int | str | None, path: pathlib.Path) -> int:
    """Return the index of the audio stream to take.

    Parameters
    ----------
    streams : sequence of AudioStream
        At least one.
    asked : int, str or None
        An index from 0; or what a user says: a number from 1 or a language's code; None for the default stream.
    path : pathlib.Path
        Of the file.

    Raises
    ------
    AudioError
        There is no such stream.
    """
    index: int | None
    if isinstance(asked, int):
        index = asked
    elif asked is None:
        usual = [] if is_stem_file(path) else [one for one in streams if one.default]
        index = usual[0].number - 1 if usual else 0
    elif asked.isdecimal():
        index = int(asked) - 1
    else:
        spoken = [one for one in streams if same_language(asked, one.language)]
        index = min(spoken, key=lambda one: not one.default).number - 1 if spoken else None
    if index is None or not 0 <= index < len(streams):
        wanted = asked + 1 if isinstance(asked, int) else asked
        raise AudioError(f"has no audio stream {wanted}; it holds {', '.join(map(str, streams))}")
    return index
