"""The lyrics of a song: in a file beside it, or in its tags."""

from __future__ import annotations

import dataclasses
import pathlib

from ..lyrics import Lyrics, parse_lrc, read_lyrics
from .fields import LYRICS_FIELDS, Tags
from .reading import read_tags

LRC_SUFFIX = ".lrc"


@dataclasses.dataclass(frozen=True)
class FoundLyrics:
    """Lyrics, and where they were found, as words for a person."""

    lyrics: Lyrics
    place: str


def lyrics_of_tags(tags: Tags) -> Lyrics | None:
    """Return the lyrics that tags hold: with times if there are any, else without; None where there are none."""
    found = [parse_lrc(text) for name in LYRICS_FIELDS for text in tags.fields.get(name, ())]
    with_words = [lyrics for lyrics in found if any(line.text for line in lyrics.lines)]
    return next((lyrics for lyrics in with_words if lyrics.timed), with_words[0] if with_words else None)


def find_lyrics(path: pathlib.Path, tags: Tags | None = None) -> FoundLyrics | None:
    """Find the lyrics of a song: in an ``.lrc`` file beside it, else in its tags.

    Parameters
    ----------
    path : pathlib.Path
        The song.
    tags : Tags, optional
        Its tags, if they were read already.

    Returns
    -------
    FoundLyrics or None

    Raises
    ------
    LyricsError
        The file beside it cannot be read.
    """
    names = (path.with_suffix(LRC_SUFFIX), path.with_suffix(LRC_SUFFIX.upper()), path.with_name(path.name + LRC_SUFFIX))
    for file in names:
        if file.is_file():
            return FoundLyrics(read_lyrics(file), file.name)
    lyrics = lyrics_of_tags(read_tags(path) if tags is None else tags)
    return None if lyrics is None else FoundLyrics(lyrics, "its tags")
