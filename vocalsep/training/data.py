"""What a run trains on and what it validates on, found on disk and kept apart."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

from ..datasets.cache import Cache
from ..datasets.pools import Collector, Item, Pool, Pools, hold_out
from ..errors import UsageError
from .config import TrainingConfig
from .validation import Validation

SONGS = ("musdb", "stems", "pairs")


def gather(config: TrainingConfig, cache: Cache, unusable: list[str]) -> tuple[Pools, Validation, dict[str, Any]]:
    """Find all that a run trains and validates on.

    Parameters
    ----------
    config : TrainingConfig
    cache : Cache
    unusable : list of str
        Gets a line about each song or file that cannot be used.

    Returns
    -------
    pools, validation, described
        What examples are drawn from, what is validated on, and both in plain words and lists for the run's folder.

    Raises
    ------
    UsageError
        A folder is missing, or nothing is left of it; or there is nothing to validate on.
    OutputError
        Seekable copies cannot be written.
    """
    data = config.data
    collector = Collector(cache.open_clip, data.exclude, unusable.append)
    held: list[Item] = []
    held_voices: list[Pool] = []
    held_music: list[Pool] = []
    pools: dict[str, list[Pool]] = {"songs": [], "voices": [], "instrumentals": [], "noise": [], "unlabelled": []}
    described: dict[str, Any] = {"train": [], "valid": []}
    for entry in data.valid:
        held += collector.items(entry.kind, entry.path, "valid" if entry.kind == "musdb" else None)
    own = bool(data.valid)
    solo = not own and not any(entry.kind in ("musdb", "stems") for entry in data.sets)
    for entry in data.sets:
        items = collector.items(entry.kind, entry.path, "train" if entry.kind == "musdb" else None)
        if not own and entry.kind == "musdb":
            held += collector.items("musdb", entry.path, "valid")
        elif not own and entry.kind == "stems" and not any(other.kind == "musdb" for other in data.sets):
            items, out = hold_out(items, data.valid_share)
            held += out
        elif solo and entry.kind in ("voices", "instrumentals"):
            items, out = hold_out(items, data.valid_share)
            (held_voices if entry.kind == "voices" else held_music).append(Pool(out or items))
        pools["songs" if entry.kind in SONGS else entry.kind].append(Pool(items, entry.weight))
        described["train"].append(_described(entry.kind, entry.path, items))
    made = Pools(**{name: tuple(held_pools) for name, held_pools in pools.items()})
    held_out_sources = (
        Pools(voices=tuple(held_voices), instrumentals=tuple(held_music)) if held_voices and held_music else None
    )
    if not held and held_out_sources is None:
        # One song only: learning it by heart can still be watched.
        held = [item for pool in made.songs for item in pool.items]
        described["valid_is_train"] = True
    validation = Validation(held, held_out_sources, data, config.model)
    if validation.count == 0:
        raise UsageError("there is nothing to validate on; give --valid a folder of songs with stems")
    described["valid"] = [song.name for song in validation.songs] or "held-out voices over held-out instrumentals"
    return made, validation, described


def _described(kind: str, path: str, items: Sequence[Item]) -> dict[str, Any]:
    named = [item.name if not hasattr(item, "named") else str(item.named.relative_to(path)) for item in items]
    hours = sum(item.seconds for item in items) / 3600
    return {"kind": kind, "set": pathlib.Path(path).resolve().name, "hours": round(hours, 3), "items": named}
