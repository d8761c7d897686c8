"""The words of songs, kept as LRC files in the songs' folders."""

from __future__ import annotations

import pathlib
import threading
from collections.abc import Iterable
from typing import Annotated, Any

import pydantic

from ..lyrics import Line, Lyrics, Word, decode_lyrics, format_lrc, parse_lrc
from ..system.atomic_files import write_text
from ..tags import Tags, lyrics_of_tags
from .error_messages import Code, StudioError
from .library import Library, LibrarySong

FILE = "lyrics.lrc"
MAX_BYTES = 500_000
MODEL = pydantic.ConfigDict(extra="ignore", allow_inf_nan=False)
Time = Annotated[float, pydantic.Field(ge=0, le=86400, description="Seconds.")]
Text = Annotated[str, pydantic.Field(max_length=2000)]


class WordFields(pydantic.BaseModel):
    """A word and when it is sung."""

    model_config = MODEL

    start: Time
    text: Text


class LineFields(pydantic.BaseModel):
    """A line, when it is sung, and its words where their times are known."""

    model_config = MODEL

    start: Time | None = None
    end: Time | None = None
    text: Text = ""
    words: Annotated[list[WordFields], pydantic.Field(max_length=500)] = []

    def line(self) -> Line:
        """Return the line as the library keeps it: the texts of its words together are its text."""
        texts = [word.text for word in self.words]
        if len(texts) > 1 and not any(text[-1:].isspace() for text in texts[:-1]) and "".join(texts) != self.text:
            texts = [*(f"{text} " for text in texts[:-1]), texts[-1]]
        words = tuple(Word(word.start, text) for word, text in zip(self.words, texts, strict=True))
        return Line(self.start, "".join(texts) or self.text, words, self.end)


class LyricsFields(pydantic.BaseModel):
    """The words of a song."""

    model_config = MODEL

    title: Text = ""
    artist: Text = ""
    lines: Annotated[list[LineFields], pydantic.Field(max_length=10_000)]

    def lyrics(self) -> Lyrics:
        """Return the words as the library keeps them.

        Raises
        ------
        StudioError
            Some lines have times and some have none.
        """
        lines = [fields.line() for fields in self.lines]
        timed = [line for line in lines if line.start_s is not None]
        if timed and any(line.start_s is None and line.text.strip() for line in lines):
            raise StudioError(Code.WORDS_PARTLY_TIMED)
        metadata = {name: value for name, value in (("ti", self.title), ("ar", self.artist)) if value.strip()}
        return Lyrics(tuple(timed or lines), metadata)


class LyricsStore:
    """The words of a library's songs; safe to use from several threads.

    Parameters
    ----------
    library : Library
    """

    def __init__(self, library: Library):
        self.library = library
        self._lock = threading.Lock()

    def get(self, song: LibrarySong) -> Lyrics | None:
        """Return the words of a song, or None without any."""
        if not song.lyrics_source:
            return None
        try:
            return parse_lrc(self._path(song).read_text("utf-8"))
        except (OSError, ValueError):
            return None

    def text(self, song: LibrarySong) -> str:
        """Return the words of a song as LRC, empty without any."""
        lyrics = self.get(song)
        return format_lrc(lyrics) if lyrics else ""

    def put(self, song: LibrarySong, lyrics: Lyrics, source: str) -> LibrarySong:
        """Keep the words of a song.

        Parameters
        ----------
        song : LibrarySong
        lyrics : Lyrics
        source : str
            Where they come from: ``tags``, ``file`` or ``user``.

        Raises
        ------
        StudioError
            They hold no words.
        OutputError
            The library cannot be written to.
        """
        if not any(line.text.strip() for line in lyrics.lines):
            raise StudioError(Code.WORDS_EMPTY)
        with self._lock:
            if self.library.get(song.id) is None:
                return song
            write_text(self._path(song), format_lrc(lyrics))
            return self.library.update(song, lyrics_source=source)

    def put_tags(self, song: LibrarySong, tags: Tags) -> LibrarySong:
        """Keep the words that are in a song's tags, if there are any; raises OutputError."""
        lyrics = lyrics_of_tags(tags)
        return self.put(song, lyrics, "tags") if lyrics else song

    def remove(self, song: LibrarySong) -> LibrarySong:
        """Forget the words of a song, those in its tags too; raises OutputError."""
        with self._lock:
            self._path(song).unlink(missing_ok=True)
            return self.library.update(song, lyrics_source="")

    def _path(self, song: LibrarySong) -> pathlib.Path:
        return self.library.song_folder(song) / FILE


def read_text_lyrics(data: bytes) -> Lyrics:
    """Return the words in an LRC file or a plain text; raises StudioError for what is no text."""
    text, remark = decode_lyrics(data)
    if "\0" in text:
        raise StudioError(Code.WORDS_NO_TEXT)
    lyrics = parse_lrc(text)
    if remark:
        lyrics = Lyrics(lyrics.lines, lyrics.metadata, (remark, *lyrics.problems))
    return lyrics


def describe_lyrics(lyrics: Lyrics, source: str, problems: Iterable[str] = ()) -> dict[str, Any]:
    """Return words as the HTTP interface shows them."""
    return {
        "timed": lyrics.timed,
        "source": source,
        "title": lyrics.metadata.get("ti", ""),
        "artist": lyrics.metadata.get("ar", ""),
        "lines": [
            {
                "start": line.start_s,
                "end": line.end_s,
                "text": line.text,
                "words": [{"start": word.start_s, "text": word.text} for word in line.words],
            }
            for line in lyrics.lines
        ],
        "problems": list(problems),
    }
