"""The data sets of a training run, without what is held out for validation."""

from __future__ import annotations

import dataclasses
import fnmatch
import math
import pathlib
from collections.abc import Callable, Sequence

from ..errors import UsageError
from .clips import Clip
from .musdb18 import find_tracks
from .pairs import ReleasePair, find_pairs
from .songs import Song
from .stems import find_songs, find_sounds

Item = Song | ReleasePair | Clip


@dataclasses.dataclass(frozen=True)
class Pool:
    """A data set and its weight in random draws.

    Parameters
    ----------
    items : tuple of Song, ReleasePair or Clip
    weight : float
    """

    items: tuple[Item, ...]
    weight: float = 1.0

    @property
    def seconds(self) -> float:
        """Total length of all items in seconds."""
        return sum(item.seconds for item in self.items)


@dataclasses.dataclass(frozen=True)
class Pools:
    """Data sets by their use in examples.

    Parameters
    ----------
    songs : tuple of Pool
        Songs and release pairs: vocals with their own accompaniment.
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
            raise UsageError("there is no data with vocals", hint="add songs with stems, release pairs or solo voices")
        if not self.songs and not self.instrumentals:
            raise UsageError("voices alone make no mixture", hint="add instrumentals or songs with stems")

    @property
    def vocals(self) -> tuple[Pool, ...]:
        """The pools that have vocals."""
        return (*self.songs, *self.voices)

    @property
    def seconds(self) -> float:
        """Total length of all vocals in seconds."""
        return sum(pool.seconds for pool in self.vocals)


class Collector:
    """Finds the items of data sets, without those that are excluded.

    Parameters
    ----------
    opener : callable
        Describes a file, see `stems.find_songs`.
    exclude : sequence of str
        Patterns; items whose name or path matches one are left out.
    on_unusable : callable
        Called with a line about every item that cannot be used.
    """

    def __init__(self, opener: Callable[..., Clip], exclude: Sequence[str], on_unusable: Callable[[str], None]):
        self.opener = opener
        self.exclude = exclude
        self.on_unusable = on_unusable

    def items(self, kind: str, path: str, split: str | None = None) -> tuple[Item, ...]:
        """Return the items of one data set; `split` chooses within MUSDB18's train subset.

        Raises
        ------
        UsageError
            The folder does not exist, or nothing in it can be used.
        """
        folder = pathlib.Path(path)
        items: Sequence[Item]
        if kind == "musdb":
            items = find_tracks(folder, "train", split, self.on_unusable, self.opener, mixture=False)
        elif kind == "stems":
            items = find_songs(folder, self.on_unusable, self.opener)
        elif kind == "pairs":
            items = find_pairs(folder, self.on_unusable, self.opener)
        else:
            items = find_sounds(folder, self.on_unusable, self.opener)
        kept = tuple(item for item in items if item.samples > 0 and not self._excluded(item))
        if not kept:
            raise UsageError("everything in it is excluded or empty", path=path)
        return kept

    def _excluded(self, item: Item) -> bool:
        names = [str(item.user_path)] if isinstance(item, Clip) else [item.name]
        if isinstance(item, Song):
            names += [str(clip.user_path) for clip in item.clips]
        return any(fnmatch.fnmatch(name, pattern) for name in names for pattern in self.exclude)


def hold_out(items: Sequence[Item], share: float) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Divide items into those to train on and those to validate on, which are spread evenly.

    At least one of several items is held out; a single item is not.
    """
    count = min(math.ceil(share * len(items)), len(items) - 1)
    held_out = {round((step + 0.5) * len(items) / count - 0.5) for step in range(count)} if count else set()
    kept = tuple(item for index, item in enumerate(items) if index not in held_out)
    return kept, tuple(item for index, item in enumerate(items) if index in held_out)
