"""From what the user named (files, folders, patterns, standard input) to a list of songs and their outputs."""

from __future__ import annotations

import dataclasses
import glob
import pathlib
import sys
from collections.abc import Iterable, Sequence

from .audio.formats import SONG_SUFFIXES
from .errors import AudioError, OutputError, UsageError
from .remote import exists, find, is_remote

STDIN = "-"


@dataclasses.dataclass(frozen=True)
class Song:
    """One input: its path, and the folder (relative to what was named) that its outputs keep.

    Of one that is not on this machine `url` says where it is, and `path` is its bare name.
    """

    path: pathlib.Path
    folder: pathlib.Path = pathlib.Path()
    url: str = ""

    @property
    def source(self) -> str:
        """What the user calls it."""
        return self.url or str(self.path)

    @property
    def name(self) -> str:
        """The file's name without its suffix; ``song.stem.mp4`` is called ``song``."""
        name = self.path.stem
        return name.removesuffix(".stem") or name


@dataclasses.dataclass(frozen=True)
class Missing:
    """Something that was named and is no song, and why."""

    named: str
    why: str


def find_songs(named: Sequence[str], recursive: bool, out: pathlib.Path | None) -> tuple[list[Song], list[Missing]]:
    """Find the songs that the arguments name, each once, in a stable order.

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
    songs: dict[pathlib.Path | str, Song] = {}
    missing: list[Missing] = []
    for argument in named:
        path = pathlib.Path(argument)
        if is_remote(argument):
            try:
                found = [
                    Song(pathlib.Path(url.rsplit("/", 1)[-1]), pathlib.Path(inside), url)
                    for url, inside in find(argument, recursive)
                ]
            except AudioError as error:
                missing.append(Missing(argument, str(error)))
                continue
            if not found:
                missing.append(Missing(argument, "no audio files there"))
        elif argument == STDIN or path.is_file():
            found = [Song(path)]
        elif path.is_dir():
            found = list(_inside(path, recursive, out))
            if not found:
                deeper = "" if recursive else "; --recursive looks into subfolders"
                missing.append(Missing(argument, f"no audio files in this folder{deeper}"))
        elif glob.has_magic(argument):
            found = [Song(p) for p in map(pathlib.Path, sorted(glob.glob(argument, recursive=True))) if _is_song(p)]
            if not found:
                missing.append(Missing(argument, "no audio file matches this pattern"))
        else:
            found = [Song(path)] if path.exists() else []
            if not found:
                missing.append(Missing(argument, "no such file or folder"))
        for song in found:
            songs.setdefault(song.url or (song.path if argument == STDIN else song.path.resolve()), song)
    return list(songs.values()), missing


def check_targets(songs: Iterable[tuple[Song, Sequence[pathlib.Path | str]]], overwrite: bool, skip: bool) -> None:
    """Refuse a plan that would lose something, before any work starts; outputs that go to URLs are given as text.

    Raises
    ------
    UsageError
        Two songs would write the same file.
    OutputError
        An output exists and neither overwriting nor skipping was asked for, or would replace an input.
    """
    writers: dict[str, Song] = {}
    planned = list(songs)
    inputs = {song.url or song.path.resolve() for song, _ in planned}
    standing = []
    for song, targets in planned:
        for target in targets:
            other = writers.setdefault(_key(target), song)
            if other is not song:
                raise UsageError(
                    f"{other.source} and {song.source} would both write {target}; "
                    "try --name '{source}/{stem}.{ext}'"
                )
            if (target if isinstance(target, str) else target.resolve()) in inputs:
                raise OutputError(f"{target} is one of the inputs; choose another folder with --out")
            if not overwrite and not skip and (exists(target) if isinstance(target, str) else target.exists()):
                standing.append(target)
    if standing:
        more = f" and {len(standing) - 1} more" if len(standing) > 1 else ""
        verb = "exist" if more else "exists"
        raise OutputError(f"{standing[0]}{more} {verb}; --overwrite replaces, --skip-existing passes over")


def _key(target: pathlib.Path | str) -> str:
    """Return what two names of the same output have in common."""
    if isinstance(target, str):
        return target
    return str(target.absolute()).casefold() if sys.platform in ("win32", "darwin") else str(target.absolute())


def _inside(folder: pathlib.Path, recursive: bool, out: pathlib.Path | None) -> Iterable[Song]:
    outputs = out.resolve() if out is not None else None
    for path in sorted(folder.rglob("*") if recursive else folder.iterdir()):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        ours = outputs is not None and outputs != folder.resolve() and outputs in path.resolve().parents
        if _is_song(path) and not hidden and not ours:
            yield Song(path, inside.parent)


def _is_song(path: pathlib.Path) -> bool:
    return path.suffix.lower() in SONG_SUFFIXES and path.is_file()
