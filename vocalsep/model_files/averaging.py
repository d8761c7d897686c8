"""Average the weights of several models that were fine-tuned from the same one.

M. Wortsman et al.: "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
inference time", ICML 2022.
"""

from __future__ import annotations

import math
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..system.extras import require
from . import registry
from .checkpoint import ModelInfo, load
from .config import ModelConfig

if TYPE_CHECKING:
    from ..networks.network import Network


def average(
    models: Sequence[str | pathlib.Path], weights: Sequence[float] | None = None
) -> tuple[Network, ModelConfig, dict[str, Any]]:
    """Average the weights of models of one kind.

    Parameters
    ----------
    models : sequence of str or path
        Names or files of two models or more. The average is only useful if they were fine-tuned from the same model.
    weights : sequence of float, optional
        Weight of each model, scaled to a sum of 1; by default equal.

    Returns
    -------
    network, config, card
        The arguments of `checkpoint.save`.

    Raises
    ------
    ModelError
        A model is unknown or broken.
    UsageError
        There are fewer than two models, they differ in front end or network, or the weights are invalid.
    MissingExtraError
        Torch is not installed.
    """
    require("torch", "averaging models")

    import torch

    if len(models) < 2:
        raise UsageError("an average takes two models or more")
    shares = [1.0] * len(models) if weights is None else list(weights)
    if len(shares) != len(models):
        raise UsageError(f"{len(models)} models take {len(models)} weights, not {len(shares)}")
    if not all(math.isfinite(share) and share >= 0 for share in shares) or sum(shares) == 0:
        raise UsageError("weights are 0 or more, and not all 0")
    shares = [share / sum(shares) for share in shares]

    paths = [registry.find(model) for model in models]
    loaded = [load(path) for path in paths]
    network, first = loaded[0]
    total = {name: torch.zeros_like(tensor, dtype=torch.float64) for name, tensor in network.state_dict().items()}
    parts = []
    for path, (part, info), share in zip(paths, loaded, shares, strict=True):
        if info.config != first.config:
            raise UsageError(f"has another front end or network than {paths[0]}; they cannot be averaged", path=path)
        for name, tensor in part.state_dict().items():
            total[name] += share * tensor.double()
        parts.append(_part(path, info, share))
    network.load_state_dict(total)
    return network, first.config, _card(parts)


def _part(path: pathlib.Path, info: ModelInfo, share: float) -> dict[str, Any]:
    return {"model": path.name, "sha256": registry.checksum(path), "share": round(share, 6), "card": info.card}


def _card(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Combine the cards of all parts, without their scores, which are not those of the average."""

    def joined(key: str) -> str:
        return "; ".join(dict.fromkeys(str(part["card"].get(key, "not stated")) for part in parts))

    return {"licence": joined("licence"), "trained_on": joined("trained_on"), "average_of": parts}
