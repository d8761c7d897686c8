"""Find the training data of a run, and separate its validation data."""

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
    """Find the training and validation data of a run.

    Parameters
    ----------
    config : TrainingConfig
    cache : Cache
    unusable : list of str
        A line is appended for each song or file that cannot be used.

    Returns
    -------
    pools, validation, summary
        The training data, the validation data, and a description of both for the run's folder.

    Raises
    ------
    UsageError
        A folder is missing or has no usable data, or there is no validation data.
    OutputError
        Seekable copies cannot be written.
    """
    data = config.data
    collector = Collector(cache.open_clip, data.exclude, unusable.append)
    held_out: list[Item] = []
    held_out_voices: list[Pool] = []
    held_out_music: list[Pool] = []
    pools: dict[str, list[Pool]] = {"songs": [], "voices": [], "instrumentals": [], "noise": [], "unlabelled": []}
    summary: dict[str, Any] = {"train": [], "valid": []}
    for entry in data.valid:
        held_out += collector.items(entry.kind, entry.path, "valid" if entry.kind == "musdb" else None)
    own = bool(data.valid)
    solo = not own and not any(entry.kind in ("musdb", "stems") for entry in data.sets)
    for entry in data.sets:
        items = collector.items(entry.kind, entry.path, "train" if entry.kind == "musdb" else None)
        if not own and entry.kind == "musdb":
            held_out += collector.items("musdb", entry.path, "valid")
        elif not own and entry.kind == "stems" and not any(other.kind == "musdb" for other in data.sets):
            items, out = hold_out(items, data.valid_share)
            held_out += out
        elif solo and entry.kind in ("voices", "instrumentals"):
            items, out = hold_out(items, data.valid_share)
            (held_out_voices if entry.kind == "voices" else held_out_music).append(Pool(out or items))
        pools["songs" if entry.kind in SONGS else entry.kind].append(Pool(items, entry.weight))
        summary["train"].append(_summarise(entry.kind, entry.path, items))
    all_pools = Pools(**{name: tuple(kind_pools) for name, kind_pools in pools.items()})
    held_out_sources = (
        Pools(voices=tuple(held_out_voices), instrumentals=tuple(held_out_music))
        if held_out_voices and held_out_music
        else None
    )
    if not held_out and held_out_sources is None:
        # A single song is trained and validated on, to watch the network overfit.
        held_out = [item for pool in all_pools.songs for item in pool.items]
        summary["valid_is_train"] = True
    validation = Validation(held_out, held_out_sources, data, config.model)
    if validation.count == 0:
        raise UsageError("there is nothing to validate on", hint="add validation data: a folder of songs with stems")
    summary["valid"] = [song.name for song in validation.songs] or "held-out voices over held-out instrumentals"
    return all_pools, validation, summary


def _summarise(kind: str, path: str, items: Sequence[Item]) -> dict[str, Any]:
    named = [item.name if not hasattr(item, "user_path") else str(item.user_path.relative_to(path)) for item in items]
    hours = sum(item.seconds for item in items) / 3600
    return {"kind": kind, "set": pathlib.Path(path).resolve().name, "hours": round(hours, 3), "items": named}
