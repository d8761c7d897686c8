"""Find the estimates of a track in a folder: as `split` writes them, or as other programs do."""

from __future__ import annotations

import pathlib
import re

from ..audio.formats import SONG_SUFFIXES
from ..datasets.stems import MIXTURE, VOCALS, stem_name
from ..errors import AudioError
from ..system.folders import files_in
from ..system.names import alike, safe_name

# Folders that data sets put their tracks in.
SUBSETS = ("train", "test", "valid")
# What `split` adds where two songs have one name.
NUMBER = re.compile(r" \(\d+\)$")


def find_estimates(folder: pathlib.Path, name: str) -> pathlib.Path | None:
    """Return the folder of a track's estimates; None if there is none.

    That is a folder with ``vocals.*`` that is called as the track is, by its whole path or the end of it, or one called
    ``mixture`` in such a folder, as `split` writes of ``TRACK/mixture.wav``. Further folders may lie around it. Where
    `split` had to change a name (characters that Windows does not take, a suffix or a number to tell songs apart), it
    is found by that.

    Parameters
    ----------
    folder : pathlib.Path
    name : str
        The track's, with ``/`` between folders.

    Raises
    ------
    AudioError
        Several folders fit equally well.
    """
    wanted = pathlib.PurePosixPath(name).parts
    for direct in (folder / name, *(folder / subset / name for subset in SUBSETS)):
        if estimate(direct, VOCALS) is not None:
            return direct
    fitting: dict[tuple[int, ...], list[pathlib.Path]] = {}
    for home in sorted({file.parent for file in files_in(folder) if _is(file, VOCALS)}):
        rank = _rank(home.relative_to(folder).parts, wanted)
        if rank is not None:
            fitting.setdefault(rank, []).append(home)
    if not fitting:
        return None
    best = fitting[min(fitting)]
    if len(best) > 1:
        raise AudioError(f"{name}: both {best[0]} and {best[1]} may be its estimate; take one of them away")
    return best[0]


def estimate(home: pathlib.Path, stem: str) -> pathlib.Path | None:
    """Return the file of a stem in a folder, whatever its format; None if there is none."""
    if not home.is_dir():
        return None
    return next((file for file in sorted(home.iterdir()) if _is(file, stem) and file.is_file()), None)


def _is(file: pathlib.Path, stem: str) -> bool:
    return stem_name(file) == stem and file.suffix.lower() in SONG_SUFFIXES


def _rank(found: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[int, ...] | None:
    """Return how badly the path of an estimate fits a track's, least first; None where it does not.

    What counts first is whether all of the track's path is there, then what lies around it, then how exact the names
    are.
    """
    homes = [(found, 0)]
    if len(found) > 1 and _likeness(found[-1], MIXTURE) is not None:
        homes.append((found[:-1], 1))
    ranks = []
    for parts, inner in homes:
        for cut in range(len(wanted)):
            end = wanted[cut:]
            around = parts[: len(parts) - len(end)]
            if len(parts) < len(end) or (cut and around):
                continue
            likeness = [_likeness(one, other) for one, other in zip(parts[len(around) :], end, strict=True)]
            known = [degree for degree in likeness if degree is not None]
            if len(known) == len(likeness):
                outside = 0 if not around else 1 if len(around) == 1 and around[0] in SUBSETS else 2
                ranks.append((cut, outside, max(known), inner))
    return min(ranks, default=None)


def _likeness(found: str, wanted: str) -> int | None:
    """Return 0 for the same name, more for one that `split` may have made of it, None for another."""
    suffix = pathlib.PurePath(found).suffix
    bare = found.removesuffix(suffix) if suffix.lower() in SONG_SUFFIXES else found
    plain = NUMBER.sub("", found)
    candidates = [found, bare, plain]
    safe = safe_name(wanted)
    for degree, candidate in enumerate(candidates):
        if candidate in (wanted, safe):
            return degree
    for degree, candidate in enumerate(candidates, len(candidates)):
        if alike(candidate) in (alike(wanted), alike(safe)):
            return degree
    return None
