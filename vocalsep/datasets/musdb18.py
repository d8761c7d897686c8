"""Find the tracks of MUSDB18 and MUSDB18-HQ, with the musdb package.

Z. Rafii, A. Liutkus, F.-R. Stöter, S. I. Mimilakis, R. Bittner: "MUSDB18, a corpus for music separation", 2017.
The musdb package describes the data set: its folders, streams, sources and validation songs. It does not read the
files, because it starts a program five times for each and stops at the first damaged one.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

from ..errors import AudioError, UsageError
from ..system.extras import require
from ..system.names import comparison_key
from .clips import Clip, open_clip
from .songs import Song

SUBSETS = ("train", "test")
SPLITS = ("train", "valid")
STEM_SUFFIX = ".stem.mp4"
VOCALS = "vocals"


def find_tracks(
    root: pathlib.Path,
    subset: str = "train",
    split: str | None = None,
    on_unusable: Callable[[str], None] | None = None,
    opener: Callable[..., Clip] = open_clip,
    mixture: bool = True,
) -> list[Song]:
    """Find the tracks of one subset, ``.stem.mp4`` files or, for MUSDB18-HQ, folders of wav files.

    Parameters
    ----------
    root : pathlib.Path
        The folder that holds ``train`` and ``test``.
    subset : str
        ``train`` or ``test``.
    split : str, optional
        Of the train subset: ``valid`` for musdb's own 14 validation songs, ``train`` for the others.
    on_unusable : callable, optional
        Called with a line about each track that cannot be used, which is left out. Without it, the first one raises.
    opener : callable
        Describes a stream of a file; `cache.Cache.open_clip` also makes it seekable.
    mixture : bool
        Whether to open the mixture's own stream; training adds up the stems instead.

    Raises
    ------
    UsageError
        The folder does not exist or has no tracks, or the ffmpeg program is missing, which musdb needs.
    AudioError
        A track cannot be read.
    OutputError
        `opener` cannot write its copy, as on a full disk.
    """
    if subset not in SUBSETS or split not in (None, *SPLITS):
        raise UsageError(
            f"MUSDB18 has the subsets {', '.join(SUBSETS)} and, of train, the splits {', '.join(SPLITS)}; "
            f"not {subset if split is None else f'{subset}, {split}'}"
        )
    if split is not None and subset != "train":
        raise UsageError("only the train subset of MUSDB18 is split into train and valid")
    if not root.is_dir():
        raise UsageError("no such folder", path=root)
    setup = _setup(root)
    held_out = set(setup["validation_tracks"])
    songs = []
    for path in _paths(root / subset):
        name = path.name[: -len(STEM_SUFFIX)] if path.is_file() else path.name
        if split is not None and (name in held_out) != (split == "valid"):
            continue
        try:
            songs.append(_song(path, name, setup, opener, mixture))
        except (AudioError, UsageError) as error:
            if on_unusable is None:
                raise
            on_unusable(str(error))
    if not songs:
        raise UsageError(
            f"no MUSDB18 tracks for {subset}{f' ({split})' if split else ''}",
            path=root,
            hint=f"it should hold {subset}/*{STEM_SUFFIX}, or {subset}/SONG/vocals.wav for MUSDB18-HQ",
        )
    return songs


def _setup(root: pathlib.Path) -> dict[str, Any]:
    require("train", "MUSDB18")
    try:
        import musdb
    except RuntimeError as error:
        # A dependency of musdb looks for the program when it is imported.
        if "ffmpeg" not in str(error):
            raise
        raise UsageError(
            "the musdb package needs the programs ffmpeg and ffprobe",
            hint="install ffmpeg (such as: apt install ffmpeg, brew install ffmpeg, winget install ffmpeg)",
        ) from None
    setup: dict[str, Any] = musdb.DB(root=str(root), subsets=[]).setup
    return setup


def _paths(folder: pathlib.Path) -> list[pathlib.Path]:
    """Return the stem files of a subset, or the folders of its wav files."""
    if not folder.is_dir():
        return []
    inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    stems = [path for path in inside if path.is_file() and path.name.lower().endswith(STEM_SUFFIX)]
    return stems or [path for path in inside if path.is_dir() and _inside(path, f"{VOCALS}.wav").exists()]


def _inside(folder: pathlib.Path, name: str) -> pathlib.Path:
    """Return the path of a file in a folder, ignoring case, whether or not it exists."""
    return next(
        (path for path in sorted(folder.iterdir()) if comparison_key(path.name) == comparison_key(name)), folder / name
    )


def _song(path: pathlib.Path, name: str, setup: dict[str, Any], opener: Callable[..., Clip], mixture: bool) -> Song:
    if path.is_dir():
        clips = {source: opener(_inside(path, file)) for source, file in setup["sources"].items()}
        whole = opener(_inside(path, setup["mixture"])) if mixture else None
    else:
        clips = {source: opener(path, setup["stem_ids"][source]) for source in setup["sources"]}
        whole = opener(path, setup["stem_ids"]["mixture"]) if mixture else None
    rest = tuple(clip for source, clip in clips.items() if source != VOCALS)
    return Song(name, (clips[VOCALS],), rest, whole)
