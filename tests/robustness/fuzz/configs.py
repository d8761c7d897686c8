"""Configurations of training: what is taken holds finite settings and can be written and read again."""

from __future__ import annotations

import math
import pathlib
import random
from typing import Any

import tomli_w
from conftest import DEMO

from vocalsep.training.config import LARGEST_INTEGER, TrainingConfig, read_toml

from .defect import expect
from .mutations import damaged, odd_tree, odd_value


class Configs:
    """See `watch.Harness`."""

    def __init__(self, seeds: pathlib.Path, place: pathlib.Path):
        self.place = place
        texts = [path.read_bytes() for path in sorted(DEMO.glob("*.toml")) if path.name != "compare.toml"]
        self.trees = [TrainingConfig().to_dict(), *(read_toml(path) for path in sorted(DEMO.glob("train*.toml")))]
        self.texts = [*texts, *(tomli_w.dumps(tree).encode() for tree in self.trees)]

    def attempt(self, random_: random.Random) -> None:
        """Damage the text of a configuration, or change its tables, and build it."""
        tables: Any
        if random_.random() < 0.3:
            path = self.place / "train.toml"
            path.write_bytes(damaged(random_.choice(self.texts), random_.choice(self.texts), random_))
            tables = read_toml(path)
        elif random_.random() < 0.95:
            tables = odd_tree(random_.choice(self.trees), random_)
        else:
            tables = {"model": odd_value(random_), "data": odd_value(random_), "mixing": odd_value(random_)}
        check(TrainingConfig.from_dict(tables), self.place / "again.toml")


def check(config: TrainingConfig, path: pathlib.Path) -> None:
    """Raise Defect unless a run with this configuration could be written down in `path`, and resumed."""
    plain = config.to_dict()
    for value in _leaves(plain):
        if isinstance(value, float):
            expect(math.isfinite(value), f"a setting of {value}")
        if isinstance(value, int):
            expect(abs(value) <= LARGEST_INTEGER, f"a setting of {value}")
    expect(config.example_samples > 0, f"examples of {config.example_samples} samples")
    expect(TrainingConfig.from_dict(plain) == config, "is another one after it went through a dictionary")
    path.write_text(tomli_w.dumps(plain), "utf-8")
    expect(TrainingConfig.from_dict(read_toml(path)) == config, "is another one after it was written and read")


def _leaves(tree: Any) -> list[Any]:
    if isinstance(tree, dict | list | tuple):
        values = tree.values() if isinstance(tree, dict) else tree
        return [leaf for value in values for leaf in _leaves(value)]
    return [tree]
