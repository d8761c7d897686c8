"""Folders of stems, one for each song."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable

from ..audio.formats import SONG_SUFFIXES
from ..errors import AudioError, UsageError
from ..system.folders import files_in
from ..system.names import comparison_key
from .clips import Clip, open_clip
from .songs import Song

VOCALS, ACCOMPANIMENT, MIXTURE = "vocals", "accompaniment", "mixture"
Opener = Callable[[pathlib.Path], Clip]


def find_songs(
    folder: pathlib.Path, on_unusable: Callable[[str], None] | None = None, opener: Opener = open_clip
) -> list[Song]:
    """Find the songs below a folder, in the order of their paths.

    Every folder with ``vocals.*`` is a song, named by its path below `folder`. Its accompaniment is
    ``accompaniment.*``; or the sum of all other stems except ``mixture.*``; or, if there are none, the mixture minus
    the vocals. The case of file names does not matter.

    Parameters
    ----------
    folder : pathlib.Path
    on_unusable : callable, optional
        Called with a line about each song that cannot be used, which is left out. Without it, the first one raises.
    opener : callable
        Describes a file; `cache.Cache.open_clip` also makes it seekable.

    Raises
    ------
    UsageError
        `folder` does not exist or has no songs, or stems do not fit together.
    AudioError
        A stem cannot be read.
    OutputError
        `opener` cannot write its copy, as on a full disk.
    """
    if not folder.is_dir():
        raise UsageError("no such folder", path=folder)
    songs = []
    files = (file for file in files_in(folder) if file.suffix.lower() in SONG_SUFFIXES)
    for path in sorted({file.parent for file in files if stem_name(file) == VOCALS}):
        try:
            songs.append(_song(path, folder, opener))
        except (AudioError, UsageError) as error:
            if on_unusable is None:
                raise
            on_unusable(str(error))
    if not songs:
        raise UsageError(
            "holds no usable song", path=folder, hint="a song is a folder with vocals.* and accompaniment.*"
        )
    return songs


def _song(path: pathlib.Path, root: pathlib.Path, opener: Opener) -> Song:
    relative = path.relative_to(root)
    name = relative.as_posix() if relative.parts else path.resolve().name
    stems: dict[str, Clip] = {}
    for file in sorted(path.iterdir()):
        if file.suffix.lower() in SONG_SUFFIXES and not file.name.startswith("."):
            stem = stem_name(file)
            if stem in stems:
                raise UsageError(f"two files are called {stem}", path=name, hint="remove or rename one")
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
        raise UsageError("holds vocals alone", path=name, hint="add accompaniment.*, other stems, or mixture.*")
    return Song(name, (vocals,), rest, mixture)


def stem_name(file: pathlib.Path) -> str:
    """Return the stem that a file holds: its name without suffix, in lower case."""
    return comparison_key(file.stem)


def inverted(clip: Clip) -> Clip:
    """Return the same sound with its polarity inverted, so that adding it subtracts it."""
    return dataclasses.replace(clip, gain=-clip.gain)


def find_sounds(
    folder: pathlib.Path, on_unusable: Callable[[str], None] | None = None, opener: Opener = open_clip
) -> list[Clip]:
    """Find all sounds below a folder (solo voices, instrumental music, noise), in the order of their paths.

    Parameters and errors are those of `find_songs`.
    """
    if not folder.is_dir():
        raise UsageError("no such folder", path=folder)
    sounds = []
    for path in files_in(folder):
        if path.suffix.lower() in SONG_SUFFIXES and path.is_file():
            try:
                sounds.append(opener(path))
            except AudioError as error:
                if on_unusable is None:
                    raise
                on_unusable(str(error))
    if not sounds:
        raise UsageError("holds no sounds that can be read", path=folder, hint="give a folder of audio files")
    return sounds
