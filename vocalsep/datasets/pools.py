"""All that a training run can draw from, and what is held out for validation."""

from __future__ import annotations

import dataclasses
import fnmatch
import math
import pathlib
from collections.abc import Callable, Sequence

from ..errors import UsageError
from .clips import Clip
from .musdb18 import find_tracks
from .pairs import Pair, find_pairs
from .songs import Song
from .stems import find_songs, find_sounds

Item = Song | Pair | Clip


@dataclasses.dataclass(frozen=True)
class Pool:
    """One data set: its items, and how often it is drawn from.

    Parameters
    ----------
    items : tuple of Song, Pair or Clip
    weight : float
    """

    items: tuple[Item, ...]
    weight: float = 1.0

    @property
    def seconds(self) -> float:
        """Length of all items together."""
        return sum(item.seconds for item in self.items)


@dataclasses.dataclass(frozen=True)
class Pools:
    """Data sets by what an example can take from them.

    Parameters
    ----------
    songs : tuple of Pool
        Songs and pairs: vocals with their own accompaniment.
    voices, instrumentals, noise : tuple of Pool
        Sounds.
    unlabelled : tuple of Pool
        Songs without stems.
    """

    songs: tuple[Pool, ...] = ()
    voices: tuple[Pool, ...] = ()
    instrumentals: tuple[Pool, ...] = ()
    noise: tuple[Pool, ...] = ()
    unlabelled: tuple[Pool, ...] = ()

    def __post_init__(self) -> None:
        if not self.songs and not self.voices:
            raise UsageError("there is nothing to learn vocals from; give --musdb, --stems, --pairs or --voices")
        if not self.songs and not self.instrumentals:
            raise UsageError("voices alone make no mixture; give --instrumentals, --musdb or --stems too")

    @property
    def vocals(self) -> tuple[Pool, ...]:
        """The pools that have vocals."""
        return (*self.songs, *self.voices)

    @property
    def seconds(self) -> float:
        """Length of all vocals together."""
        return sum(pool.seconds for pool in self.vocals)


class Collector:
    """Finds the items of data sets and leaves out what is excluded or held out.

    Parameters
    ----------
    opener : callable
        What describes a file, see `stems.find_songs`.
    exclude : sequence of str
        Patterns; items whose name or path matches one are left out.
    bad : callable
        Told of every item that cannot be used.
    """

    def __init__(self, opener: Callable[..., Clip], exclude: Sequence[str], bad: Callable[[str], None]):
        self.opener = opener
        self.exclude = exclude
        self.bad = bad

    def items(self, kind: str, path: str, split: str | None = None) -> tuple[Item, ...]:
        """Return the items of one data set; `split` chooses within MUSDB18's train subset.

        Raises
        ------
        UsageError
            The folder does not exist, or nothing in it can be used.
        """
        folder = pathlib.Path(path)
        found: Sequence[Item]
        if kind == "musdb":
            found = find_tracks(folder, "train", split, self.bad, self.opener, mixture=False)
        elif kind == "stems":
            found = find_songs(folder, self.bad, self.opener)
        elif kind == "pairs":
            found = find_pairs(folder, self.bad, self.opener)
        else:
            found = find_sounds(folder, self.bad, self.opener)
        kept = tuple(item for item in found if item.samples > 0 and not self._excluded(item))
        if not kept:
            raise UsageError(f"{path}: everything in it is excluded or empty")
        return kept

    def _excluded(self, item: Item) -> bool:
        names = [str(item.user_path)] if isinstance(item, Clip) else [item.name]
        if isinstance(item, Song):
            names += [str(clip.user_path) for clip in item.clips]
        return any(fnmatch.fnmatch(name, pattern) for name in names for pattern in self.exclude)


def hold_out(items: Sequence[Item], share: float) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Divide items into those to train on and those to validate on, evenly over their order.

    At least one of several is held out; a single one is not.
    """
    count = min(math.ceil(share * len(items)), len(items) - 1)
    held = {round((place + 0.5) * len(items) / count - 0.5) for place in range(count)} if count else set()
    kept = tuple(item for at, item in enumerate(items) if at not in held)
    return kept, tuple(item for at, item in enumerate(items) if at in held)
