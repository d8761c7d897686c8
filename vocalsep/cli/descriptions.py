"""What models and songs are, as tables of names and values."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..inference.families.table import FamilyInfo
    from ..model_files.checkpoint import ModelInfo


def describe_model(name: str, path: pathlib.Path) -> dict[str, Any]:
    """Describe a model file; raises ModelError."""
    from ..inference.opening import model_info
    from ..model_files import registry

    model = model_info(path)
    return {
        "name": name,
        "path": str(path),
        "size_bytes": path.stat().st_size,
        "parameters": model.parameters,
        **_describe_network(model),
        "licence": model.card.get("licence", "not stated"),
        **({"remarks": model.card["remarks"]} if model.card.get("remarks") else {}),
        "trained_on": model.card.get("trained_on", "not stated"),
        "figures": model.card.get("figures", {}),
        "sha256": registry.checksum(path),
    }


def _describe_network(model: ModelInfo | FamilyInfo) -> dict[str, Any]:
    from ..inference.families.table import FAMILIES, FamilyInfo

    if isinstance(model, FamilyInfo):
        shape, rate = model.config.shape, model.config.sample_rate
        return {
            "architecture": FAMILIES[model.family].title,
            "sample_rate": rate,
            "segment": f"{shape.samples / rate:.2f} s, one every {shape.hop / rate:.2f} s",
            "sources": ", ".join(shape.sources),
        }
    front_end = model.config.front_end
    return {
        "architecture": model.config.architecture,
        "sample_rate": front_end.sample_rate,
        "window": f"{front_end.n_fft} samples, hop {front_end.hop}, {front_end.bins} bins",
    }


def label(key: str) -> str:
    """Return the name of a value without its unit, which `readable` shows."""
    return key.removesuffix("_s_per_s").removesuffix("_s").removesuffix("_bytes").removesuffix("_bpm").replace("_", " ")


def readable(key: str, value: Any) -> str:
    """Return a value as text, with its unit."""
    if value is None:
        return "unknown"
    if key == "cost_s_per_s":
        return f"{value:.2f} s of computation for a second of song, on this machine when it was added"
    if key.endswith("_bytes"):
        return f"{value / 1e6:.1f} MB"
    if key.endswith("_s"):
        minutes, seconds = divmod(value, 60)
        return f"{int(minutes)}:{seconds:04.1f}"
    if key.endswith("_bpm"):
        return f"{value} beats per minute"
    if key.endswith("_confidence"):
        return f"{value:.0%}"
    if key == "flops":
        return f"{value / 1e9:.2f} GFLOP per second of audio"
    if key == "sample_rate":
        return f"{value} Hz"
    if isinstance(value, dict):
        return ", ".join(f"{name} {number}" for name, number in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
