"""Folders of stems: one folder a song."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable

from ..audio.formats import SONG_SUFFIXES
from ..errors import AudioError, UsageError
from ..system.folders import files_in
from ..system.names import alike
from .clips import Clip, open_clip
from .songs import Song

VOCALS, ACCOMPANIMENT, MIXTURE = "vocals", "accompaniment", "mixture"
Opener = Callable[[pathlib.Path], Clip]


def find_songs(
    folder: pathlib.Path, bad: Callable[[str], None] | None = None, opener: Opener = open_clip
) -> list[Song]:
    """Find the songs below a folder, in the order of their paths.

    Every folder that holds a ``vocals.*`` is a song, called by its path below `folder`. Its accompaniment is
    ``accompaniment.*``; or the sum of its other stems, whatever they are called, ``mixture.*`` aside; or, where there
    is only ``mixture.*``, the mixture minus the vocals. Capitals in the files' names do not matter.

    Parameters
    ----------
    folder : pathlib.Path
    bad : callable, optional
        Told of each song that cannot be used, which is then left out; without it the first such song raises.
    opener : callable
        What describes a file; `cache.Cache.open_clip` makes it seekable too.

    Raises
    ------
    UsageError
        `folder` does not exist or holds no song; or stems do not fit together.
    AudioError
        A stem cannot be read.
    OutputError
        `opener` cannot write its copy, as on a full disk.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    songs = []
    files = (file for file in files_in(folder) if file.suffix.lower() in SONG_SUFFIXES)
    for path in sorted({file.parent for file in files if stem_name(file) == VOCALS}):
        try:
            songs.append(_song(path, folder, opener))
        except (AudioError, UsageError) as error:
            if bad is None:
                raise
            bad(str(error))
    if not songs:
        raise UsageError(f"{folder}: holds no usable song; a song is a folder with vocals.* and accompaniment.*")
    return songs


def _song(path: pathlib.Path, root: pathlib.Path, opener: Opener) -> Song:
    relative = path.relative_to(root)
    name = relative.as_posix() if relative.parts else path.resolve().name
    stems: dict[str, Clip] = {}
    for file in sorted(path.iterdir()):
        if file.suffix.lower() in SONG_SUFFIXES and not file.name.startswith("."):
            stem = stem_name(file)
            if stem in stems:
                raise UsageError(f"{name}: two files are called {stem}; remove or rename one")
            stems[stem] = opener(file)
    vocals = stems.pop(VOCALS)
    mixture = stems.pop(MIXTURE, None)
    if ACCOMPANIMENT in stems:
        rest: tuple[Clip, ...] = (stems[ACCOMPANIMENT],)
    elif stems:
        rest = tuple(stems.values())
    elif mixture is not None:
        rest = (mixture, inverted(vocals))
    else:
        raise UsageError(f"{name}: holds vocals alone; add accompaniment.*, other stems, or mixture.*")
    return Song(name, (vocals,), rest, mixture)


def stem_name(file: pathlib.Path) -> str:
    """Return which stem a file holds, by its name: without its suffix, and in small letters."""
    return alike(file.stem)


def inverted(clip: Clip) -> Clip:
    """Return the same sound with its polarity inverted, so that adding it subtracts it."""
    return dataclasses.replace(clip, gain=-clip.gain)


def find_sounds(
    folder: pathlib.Path, bad: Callable[[str], None] | None = None, opener: Opener = open_clip
) -> list[Clip]:
    """Find all sounds below a folder (solo voices, instrumental music, noise), in the order of their paths.

    Parameters and errors are those of `find_songs`.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder")
    sounds = []
    for path in files_in(folder):
        if path.suffix.lower() in SONG_SUFFIXES and path.is_file():
            try:
                sounds.append(opener(path))
            except AudioError as error:
                if bad is None:
                    raise
                bad(str(error))
    if not sounds:
        raise UsageError(f"{folder}: holds no sounds that can be read; give a folder of audio files")
    return sounds
