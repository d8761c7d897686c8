"""From what the user named (files, folders, patterns, standard input) to a list of songs and their outputs."""

from __future__ import annotations

import dataclasses
import glob
import os
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..audio.formats import SONG_SUFFIXES
from ..errors import AudioError, OutputError, UsageError
from ..system.folders import files_in
from ..system.names import alike, safe_name
from .remote import DOWNLOAD, exists, file_name, find, is_remote, is_web

# An output: a file on this machine, or its URL.
Target = pathlib.Path | str

STDIN = "-"
STEM = ".stem"


@dataclasses.dataclass(frozen=True)
class Song:
    """One input: its path, and what its outputs keep of the folders that it lies in and of its name.

    Parameters
    ----------
    path : pathlib.Path
        Of one that is not on this machine, its bare name.
    folder : pathlib.Path
        Where it lies, relative to the folder that was named.
    url : str
        Where it is, if not on this machine.
    root : tuple of str
        The folder that was named, or that lies around a file that was named: its parts, outermost first.
    above : int
        How many of those, from the last on, the outputs keep too.
    suffixed : bool
        The outputs keep the suffix of its name.
    number : int
        Above 1, it is added to the name.
    """

    path: pathlib.Path
    folder: pathlib.Path = pathlib.Path()
    url: str = ""
    root: tuple[str, ...] = ()
    above: int = 0
    suffixed: bool = False
    number: int = 1

    @property
    def source(self) -> str:
        """What the user calls it."""
        return self.url or str(self.path)

    @property
    def name(self) -> str:
        """The file's name without its suffix; ``song.stem.mp4`` is called ``song``."""
        return self._bare + self.ends["name"]

    @property
    def file_name(self) -> str:
        """The file's name with its suffix."""
        return self.path.stem + self.ends["source"]

    @property
    def ends(self) -> dict[str, str]:
        """What tells the fields ``name`` and ``source`` of `--name` from those of other songs, at their ends."""
        number = f" ({self.number})" if self.number > 1 else ""
        suffix = self.path.name[len(self._bare) :] if self.suffixed else ""
        return {"name": suffix + number, "source": number + self.path.suffix}

    @property
    def place(self) -> pathlib.Path:
        """The folder below the output folder that its outputs go to."""
        return pathlib.Path(*self.root[len(self.root) - self.above :], self.folder)

    @property
    def around(self) -> pathlib.Path:
        """The field ``folder`` of `--name`: its place, or at least the name of the folder that it lies in."""
        return self.place if self.place.parts else pathlib.Path(*self.root[-1:])

    @property
    def _bare(self) -> str:
        name = self.path.stem
        return (name[: -len(STEM)] if name.lower().endswith(STEM) else name) or name


@dataclasses.dataclass(frozen=True)
class Missing:
    """Something that was named and is no song, and why."""

    named: str
    why: str


def find_songs(named: Sequence[str], recursive: bool, out: pathlib.Path | None) -> tuple[list[Song], list[Missing]]:
    """Find the songs that the arguments name, each once, in a stable order; a link and its target are two.

    Parameters
    ----------
    named : sequence of str
        Files, folders, patterns such as ``*.mp3``, URLs of files or folders, or ``-``.
    recursive : bool
        Look into the folders' subfolders too.
    out : pathlib.Path or None
        Output folder, whose files are not taken for songs.

    Returns
    -------
    songs, missing : list of Song, list of Missing
    """
    songs: dict[str, Song] = {}
    missing: list[Missing] = []
    for argument in named:
        path = pathlib.Path(argument)
        if is_remote(argument):
            try:
                found = [_far(url, inside) for url, inside in find(argument, recursive)]
            except AudioError as error:
                missing.append(Missing(argument, str(error)))
                continue
            if not found:
                missing.append(Missing(argument, "no audio files there"))
        elif argument == STDIN:
            found = [Song(path)]
        elif path.is_file():
            found = [_alone(path)]
        elif path.is_dir():
            found = list(_inside(path, recursive, out))
            if not found:
                deeper = "" if recursive else "; --recursive looks into subfolders"
                missing.append(Missing(argument, f"no audio files in this folder{deeper}"))
        elif glob.has_magic(argument):
            matching = map(pathlib.Path, sorted(glob.glob(argument, recursive=True)))
            found = [_alone(one) for one in matching if _is_song(one)]
            if not found:
                missing.append(Missing(argument, "no audio file matches this pattern"))
        else:
            found = [_alone(path)] if path.exists() else []
            if not found:
                more = f"; for a web address: {DOWNLOAD}" if is_web(argument) else ""
                missing.append(Missing(argument, f"no such file or folder{more}"))
        for song in found:
            songs.setdefault(song.url or (STDIN if argument == STDIN else os.path.abspath(song.path)), song)
    return list(songs.values()), missing


def told_apart(songs: Sequence[Song], targets: Callable[[Song], Sequence[Target]]) -> list[Song]:
    """Return the songs so that no two have outputs of one name, as far as the user's names allow.

    Outputs of songs from several folders that would be the same keep the name of the folder, and of as many folders
    above it as it takes, as do those of all other songs from there. Outputs of songs in one folder keep the suffixes of
    the songs; where that is not enough, all but the first get a number.

    Parameters
    ----------
    songs : sequence of Song
    targets : callable
        Gives the outputs of a song. Names are compared as `names.alike` does.
    """
    kept = list(songs)
    keys = [frozenset(map(_key, targets(song))) for song in kept]

    def change(place: int, **how: Any) -> None:
        kept[place] = dataclasses.replace(kept[place], **how)
        keys[place] = frozenset(map(_key, targets(kept[place])))

    while True:
        shared = [{kept[place].root for place in group} for group in _groups(keys)]
        crowded = set().union(*(roots for roots in shared if len(roots) > 1))
        deeper = [place for place, song in enumerate(kept) if song.root in crowded and song.above < len(song.root)]
        if not deeper:
            break
        for place in deeper:
            change(place, above=kept[place].above + 1)
    for group in _groups(keys):
        for place in group:
            change(place, suffixed=True)
    taken = {key for own in keys for key in own}
    for group in _groups(keys):
        for place in group[1:]:
            before = keys[place]
            # Where the user's names hold nothing of the song's, no number helps.
            while keys[place] & taken and (keys[place] != before or kept[place].number == 1):
                change(place, number=kept[place].number + 1)
            taken |= keys[place]
    return kept


def _groups(keys: Sequence[frozenset[str]]) -> list[tuple[int, ...]]:
    """Return the places of songs that share an output with another, those of each output together."""
    writers: dict[str, list[int]] = {}
    for place, own in enumerate(keys):
        for key in own:
            writers.setdefault(key, []).append(place)
    return sorted({tuple(places) for places in writers.values() if len(places) > 1})


def check_targets(songs: Iterable[tuple[Song, Sequence[Target]]], overwrite: bool, skip: bool) -> None:
    """Refuse a plan that would lose something, before any work starts; outputs that go to URLs are given as text.

    Raises
    ------
    UsageError
        Two outputs would be the same file.
    OutputError
        An output exists and neither overwriting nor skipping was asked for, or would replace an input.
    """
    writers: dict[str, Song] = {}
    planned = list(songs)
    inputs = {song.url or song.path.resolve() for song, _ in planned}
    standing = []
    for song, targets in planned:
        for target in targets:
            key = _key(target)
            if key in writers:
                both = f"{writers[key].source} and {song.source} would both write"
                if writers[key] is song:
                    both = f"both stems of {song.source} would be"
                raise UsageError(f"{both} {target}; try --name '{{name}}/{{stem}}.{{ext}}'")
            writers[key] = song
            if (target if isinstance(target, str) else target.resolve()) in inputs:
                raise OutputError(f"{target} is one of the inputs; choose another folder with --out")
            if not overwrite and not skip and (exists(target) if isinstance(target, str) else target.exists()):
                standing.append(target)
    if standing:
        more = f" and {len(standing) - 1} more" if len(standing) > 1 else ""
        verb = "exist" if more else "exists"
        raise OutputError(f"{standing[0]}{more} {verb}; --overwrite replaces, --skip-existing passes over")


def _key(target: Target) -> str:
    """Return what two names of the same output have in common."""
    return alike(target if isinstance(target, str) else str(target.absolute()))


def _alone(path: pathlib.Path) -> Song:
    return Song(path, root=_parts(path.parent))


def _far(url: str, inside: str) -> Song:
    """Return a song by its URL, with the folder that it has below the one that was named."""
    folders = url.partition("://")[2].split("/")[:-1]
    folder = pathlib.Path(inside)
    return Song(pathlib.Path(file_name(url)), folder, url, tuple(folders[: len(folders) - len(folder.parts)]))


def _parts(folder: pathlib.Path) -> tuple[str, ...]:
    whole = pathlib.Path(os.path.abspath(folder))
    drive = safe_name(whole.drive.rstrip(":")) if whole.drive else ""
    return (*([drive] if drive else []), *whole.parts[1:])


def _inside(folder: pathlib.Path, recursive: bool, out: pathlib.Path | None) -> Iterable[Song]:
    outputs = out.resolve() if out is not None else None
    root = _parts(folder)
    for path in files_in(folder, recursive):
        ours = outputs is not None and outputs != folder.resolve() and outputs in path.resolve().parents
        if _is_song(path) and not ours:
            yield Song(path, path.relative_to(folder).parent, root=root)


def _is_song(path: pathlib.Path) -> bool:
    return path.suffix.lower() in SONG_SUFFIXES and path.is_file()
