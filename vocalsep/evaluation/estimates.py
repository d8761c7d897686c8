"""Find the folder with the estimates of a track, among the outputs of `split` or of other programs."""

from __future__ import annotations

import pathlib
import re

from ..audio.formats import SONG_SUFFIXES
from ..datasets.stems import MIXTURE, VOCALS, stem_name
from ..errors import AudioError
from ..system.folders import files_in
from ..system.names import comparison_key, safe_name

# Folders that data sets put their tracks in.
SUBSETS = ("train", "test", "valid")
# What `split` appends to the names of outputs where two songs have the same name.
NUMBER = re.compile(r" \(\d+\)$")


def find_estimates(folder: pathlib.Path, name: str) -> pathlib.Path | None:
    """Return the folder that holds the estimates of a track, or None.

    A folder holds estimates if ``vocals.*`` is in it. It belongs to the track if its path ends with the track's name or
    with the last parts of that name. A folder ``mixture`` inside such a folder belongs to the track too: `split` makes
    one for ``TRACK/mixture.wav``. A folder also belongs to the track if its name is what `split` makes of the track's:
    characters that Windows does not allow are replaced, and a suffix or a number distinguishes songs with one name.

    Parameters
    ----------
    folder : pathlib.Path
        Where estimates are looked for, at any depth.
    name : str
        The track's name, with ``/`` between folders.

    Raises
    ------
    AudioError
        Several folders match equally well.
    """
    wanted = pathlib.PurePosixPath(name).parts
    for candidate in (folder / name, *(folder / subset / name for subset in SUBSETS)):
        if find_stem(candidate, VOCALS) is not None:
            return candidate
    matches: dict[tuple[int, ...], list[pathlib.Path]] = {}
    for candidate in sorted({file.parent for file in files_in(folder) if _is_stem(file, VOCALS)}):
        rank = _path_rank(candidate.relative_to(folder).parts, wanted)
        if rank is not None:
            matches.setdefault(rank, []).append(candidate)
    if not matches:
        return None
    best = matches[min(matches)]
    if len(best) > 1:
        raise AudioError(f"{name}: both {best[0]} and {best[1]} may be its estimate; take one of them away")
    return best[0]


def find_stem(folder: pathlib.Path, stem: str) -> pathlib.Path | None:
    """Return the file of a stem in a folder, in any format, or None."""
    if not folder.is_dir():
        return None
    return next((file for file in sorted(folder.iterdir()) if _is_stem(file, stem) and file.is_file()), None)


def _is_stem(file: pathlib.Path, stem: str) -> bool:
    return stem_name(file) == stem and file.suffix.lower() in SONG_SUFFIXES


def _path_rank(path: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[int, ...] | None:
    """Return a rank for the path of a folder with estimates, lowest for the best match; None if it does not match.

    Ranks compare, in this order: how many leading parts of the track's path are missing, whether other folders come
    before it, and how exactly the names match.
    """
    paths = [(path, 0)]
    if len(path) > 1 and _name_rank(path[-1], MIXTURE) is not None:
        paths.append((path[:-1], 1))
    ranks = []
    for parts, in_mixture_folder in paths:
        for missing in range(len(wanted)):
            end = wanted[missing:]
            before = parts[: len(parts) - len(end)]
            if len(parts) < len(end) or (missing and before):
                continue
            name_ranks = [_name_rank(one, other) for one, other in zip(parts[len(before) :], end, strict=True)]
            known = [rank for rank in name_ranks if rank is not None]
            if len(known) == len(name_ranks):
                outside = 0 if not before else 1 if len(before) == 1 and before[0] in SUBSETS else 2
                ranks.append((missing, outside, max(known), in_mixture_folder))
    return min(ranks, default=None)


def _name_rank(name: str, wanted: str) -> int | None:
    """Return 0 for the same name, more for one that `split` may have made of it, None for another."""
    suffix = pathlib.PurePath(name).suffix
    without_suffix = name.removesuffix(suffix) if suffix.lower() in SONG_SUFFIXES else name
    candidates = [name, without_suffix, NUMBER.sub("", name)]
    safe = safe_name(wanted)
    for rank, candidate in enumerate(candidates):
        if candidate in (wanted, safe):
            return rank
    for rank, candidate in enumerate(candidates, len(candidates)):
        if comparison_key(candidate) in (comparison_key(wanted), comparison_key(safe)):
            return rank
    return None
