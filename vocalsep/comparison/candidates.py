"""Models to compare: architectures with their settings, and finished models."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import UsageError
from ..networks.table import ARCHITECTURES
from ..training.config import TrainingConfig


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A model to compare.

    Parameters
    ----------
    name : str
    config : TrainingConfig or None
        How it is trained; None for a model that is there already.
    model : pathlib.Path
        The model's file, which training makes.
    """

    name: str
    config: TrainingConfig | None
    model: pathlib.Path

    @property
    def run(self) -> pathlib.Path:
        """The folder of its training."""
        return self.model.parent


def candidates(tables: Mapping[str, Any], names: Sequence[str], out: pathlib.Path) -> list[Candidate]:
    """Return an candidate for each name.

    Parameters
    ----------
    tables : mapping
        A training configuration, and besides it ``[models.NAME]``: settings of that candidate which
        override those of ``[model]``, and its ``loss`` where the network needs one of its own. Another architecture
        starts from its own defaults.
    names : sequence of str
        Of such tables, or of architectures with their own defaults; none means all such tables.
    out : pathlib.Path
        Folder in which each candidate gets one of its own.

    Raises
    ------
    UsageError
        A name is unknown or there is none, or the configuration is not understood.
    """
    tables = dict(tables)
    known = tables.pop("models", {})
    if not isinstance(known, Mapping) or not all(isinstance(table, Mapping) for table in known.values()):
        raise UsageError("[models] must hold a table for each name")
    candidates: list[Candidate] = []
    for name in names or list(known):
        if name not in known and name not in ARCHITECTURES:
            raise UsageError(f"unknown architecture {name!r}; known are {', '.join([*known, *ARCHITECTURES])}")
        if any(name == candidate.name for candidate in candidates):
            raise UsageError(f"{name} is named twice; once will do")
        own = dict(known.get(name, {"architecture": name}))
        loss = {"loss": own.pop("loss")} if "loss" in own else {}
        training = {**tables.get("training", {}), **loss}
        config = TrainingConfig.from_dict(
            {**tables, "training": training, "model": _model(tables.get("model", {}), own)}
        )
        candidates.append(Candidate(name, config, out / name / "model.safetensors"))
    if not candidates:
        raise UsageError("there is nothing to compare", hint="name architectures or models")
    return candidates


def _model(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    architecture = own.get("architecture", base.get("architecture", "unet"))
    network = dict(base.get("network", {})) if architecture == base.get("architecture", "unet") else {}
    return {
        **own,
        "architecture": architecture,
        "front_end": {**base.get("front_end", {}), **own.get("front_end", {})},
        "network": {**network, **own.get("network", {})},
    }
