"""A party: who sings what next, and which page plays it."""

from __future__ import annotations

import pathlib
import secrets
import threading
from typing import Annotated, Any, Literal

import pydantic

from ..errors import OutputError
from ..system.atomic_files import write_text
from .error_messages import Code, StudioError
from .export_request import Gain, HexId, Key, Seconds, Tempo

FILE = "party.json"
MAX_ENTRIES = 200
MODEL = pydantic.ConfigDict(extra="forbid", allow_inf_nan=False)
Singer = Annotated[str, pydantic.Field(max_length=100)]
Place = Annotated[int, pydantic.Field(ge=0, le=MAX_ENTRIES, description="0 is the first of the line.")]
# The values that a command of a remote control takes; None for none.
COMMANDS: dict[str, Any] = {
    "play": None,
    "pause": None,
    "next": None,
    "restart": None,
    "seek": Seconds,
    "vocals": Gain,
    "accompaniment": Gain,
    "key": Key,
    "tempo": Tempo,
    "song": HexId,
}


class NewEntry(pydantic.BaseModel):
    """A song that somebody wants to sing.

    Parameters
    ----------
    song : str
        Its id.
    singer : str
    key, tempo : float
        Semitones and percent.
    next : bool
        Whether it comes first in line.
    """

    model_config = MODEL

    song: HexId
    singer: Singer = ""
    key: Key = 0.0
    tempo: Tempo = 100.0
    next: bool = False


class EntryChanges(pydantic.BaseModel):
    """What may be changed of an entry; None leaves it as it is."""

    model_config = MODEL

    singer: Singer | None = None
    key: Key | None = None
    tempo: Tempo | None = None
    place: Place | None = None


class Entry(pydantic.BaseModel):
    """An entry of the line."""

    id: HexId
    song: HexId
    singer: Singer = ""
    key: Key = 0.0
    tempo: Tempo = 100.0


class Line(pydantic.BaseModel):
    """The entries in their order, and the id of the one that is sung; that one is the first."""

    entries: list[Entry] = []
    current: HexId | None = None


class Command(pydantic.BaseModel):
    """A command of a remote control."""

    model_config = MODEL

    command: Literal["play", "pause", "next", "restart", "seek", "vocals", "accompaniment", "key", "tempo", "song"]
    value: float | str | None = None

    @pydantic.model_validator(mode="after")
    def _check_value(self) -> Command:
        kind = COMMANDS[self.command]
        if kind is None:
            if self.value is not None:
                raise ValueError(f"{self.command} takes no value")
        else:
            self.value = pydantic.TypeAdapter(kind).validate_python(self.value)
        return self


class PlayerState(pydantic.BaseModel):
    """What the page that plays says of itself."""

    model_config = MODEL

    song: HexId | None = None
    playing: bool = False
    position: Seconds = 0.0
    duration: Seconds | None = None
    vocals: Gain = 0.0
    accompaniment: Gain = 1.0
    key: Key = 0.0
    tempo: Tempo = 100.0


class Party:
    """The line of singers, kept in the library; safe to use from several threads.

    Parameters
    ----------
    folder : pathlib.Path
        Of the library.

    Attributes
    ----------
    player : PlayerState or None
        What the page that plays said last.
    """

    def __init__(self, folder: pathlib.Path):
        self.player: PlayerState | None = None
        self._path = folder / FILE
        self._lock = threading.RLock()
        try:
            self._line = Line.model_validate_json(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            self._line = Line()

    def describe(self) -> dict[str, Any]:
        """Return the line as the HTTP interface shows it."""
        with self._lock:
            return self._line.model_dump()

    def add(self, new: NewEntry) -> Entry:
        """Add an entry to the line.

        Raises
        ------
        StudioError
            The line is full.
        OutputError
            The library cannot be written to.
        """
        entry = Entry(id=secrets.token_hex(8), **new.model_dump(exclude={"next"}))
        with self._lock:
            entries = list(self._line.entries)
            if len(entries) >= MAX_ENTRIES:
                raise StudioError(Code.PARTY_FULL, count=MAX_ENTRIES)
            entries.insert(self._first_waiting if new.next else len(entries), entry)
            self._save(entries, self._line.current)
        return entry

    def change(self, entry_id: str, changes: EntryChanges) -> Entry:
        """Change an entry or its place in the line; raises StudioError and OutputError."""
        with self._lock:
            entry = self._get(entry_id)
            fields = changes.model_dump(exclude_none=True, exclude={"place"})
            changed = entry.model_copy(update=fields)
            entries = [changed if one.id == entry_id else one for one in self._line.entries]
            if changes.place is not None and entry_id != self._line.current:
                entries.remove(changed)
                entries.insert(self._first_waiting + changes.place, changed)
            self._save(entries, self._line.current)
        return changed

    def remove(self, entry_id: str) -> None:
        """Remove an entry; raises StudioError and OutputError."""
        with self._lock:
            entry = self._get(entry_id)
            current = None if entry_id == self._line.current else self._line.current
            self._save([one for one in self._line.entries if one is not entry], current)

    def remove_song(self, song_id: str) -> bool:
        """Remove all entries of a song that was deleted; return whether there were any."""
        with self._lock:
            entries = [entry for entry in self._line.entries if entry.song != song_id]
            if len(entries) == len(self._line.entries):
                return False
            current = self._line.current if any(entry.id == self._line.current for entry in entries) else None
            try:
                self._save(entries, current)
            except OutputError:
                # On a full disk the song is gone all the same.
                self._line = Line(entries=entries, current=current)
            return True

    def clear(self) -> None:
        """Remove all entries; raises OutputError."""
        with self._lock:
            self._save([], None)

    def start(self, entry_id: str | None = None) -> dict[str, Any]:
        """Make an entry the current one, and remove the one before it.

        Parameters
        ----------
        entry_id : str or None
            None for the first in line; without one, nothing is current afterwards.

        Returns
        -------
        line : dict
            See `describe`.

        Raises
        ------
        StudioError
            There is no such entry.
        OutputError
        """
        with self._lock:
            if entry_id is not None and entry_id == self._get(entry_id).id == self._line.current:
                return self.describe()
            waiting = [entry for entry in self._line.entries if entry.id != self._line.current]
            first = next((entry for entry in waiting if entry_id in (None, entry.id)), None)
            others = [entry for entry in waiting if entry is not first]
            self._save([first, *others] if first else others, first.id if first else None)
            return self.describe()

    @property
    def _first_waiting(self) -> int:
        return int(self._line.current is not None)

    def _get(self, entry_id: str) -> Entry:
        for entry in self._line.entries:
            if entry.id == entry_id:
                return entry
        raise StudioError(Code.NO_ENTRY)

    def _save(self, entries: list[Entry], current: str | None) -> None:
        line = Line(entries=entries, current=current)
        write_text(self._path, line.model_dump_json() + "\n")
        self._line = line
