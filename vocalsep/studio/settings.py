"""How a song was left: position, loop, levels, key and tempo, kept in the song's folder."""

from __future__ import annotations

import json
import pathlib
import threading
from typing import Annotated, Any

import pydantic

from ..system.atomic_files import write_text
from .export_request import Gain, Key, Seconds, StemName, Tempo
from .library import Library, LibrarySong

FILE = "settings.json"
MODEL = pydantic.ConfigDict(extra="forbid", allow_inf_nan=False)


class Loop(pydantic.BaseModel):
    """A passage that is repeated, in seconds of the song at its own tempo."""

    model_config = MODEL

    start: Seconds
    end: Seconds

    @pydantic.model_validator(mode="after")
    def _check_order(self) -> Loop:
        if self.end <= self.start:
            raise ValueError("the loop's end must come after its start")
        return self


class Settings(pydantic.BaseModel):
    """How a song was left.

    Parameters
    ----------
    position : float
        Seconds of the song at its own tempo.
    loop : Loop or None
    looping : bool
        Whether the loop is repeated.
    vocals, accompaniment : float
        Linear gains.
    muted, solo : list of str
        Stems.
    key, tempo : float
        Semitones and percent.
    words_offset : float
        Seconds by which the words come later than their file says.
    """

    model_config = MODEL

    position: Seconds = 0.0
    loop: Loop | None = None
    looping: bool = False
    vocals: Gain = 0.0
    accompaniment: Gain = 1.0
    muted: Annotated[list[StemName], pydantic.Field(max_length=2)] = []
    solo: Annotated[list[StemName], pydantic.Field(max_length=2)] = []
    key: Key = 0.0
    tempo: Tempo = 100.0
    words_offset: Annotated[float, pydantic.Field(ge=-60, le=60)] = 0.0


class SettingsStore:
    """The settings of a library's songs; safe to use from several threads.

    Parameters
    ----------
    library : Library
    """

    def __init__(self, library: Library):
        self.library = library
        self._lock = threading.Lock()

    def get(self, song: LibrarySong) -> Settings:
        """Return a song's settings, the usual ones where none were kept."""
        try:
            return Settings.model_validate_json(self._path(song).read_text("utf-8"))
        except (OSError, ValueError):
            return Settings()

    def put(self, song: LibrarySong, settings: Settings) -> Settings:
        """Keep a song's settings; raises OutputError."""
        with self._lock:
            return self._write(song, settings)

    def change(self, song: LibrarySong, fields: dict[str, Any]) -> Settings:
        """Replace some fields of a song's settings; raises OutputError, and ValidationError for values out of range."""
        with self._lock:
            return self._write(song, Settings(**{**self.get(song).model_dump(), **fields}))

    def _write(self, song: LibrarySong, settings: Settings) -> Settings:
        if self.library.get(song.id) is not None:
            write_text(self._path(song), json.dumps(settings.model_dump()) + "\n")
        return settings

    def _path(self, song: LibrarySong) -> pathlib.Path:
        return self.library.song_folder(song) / FILE
