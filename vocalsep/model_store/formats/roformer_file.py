"""Checkpoints of RoFormers, each with the YAML file that it was trained by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import ModelError
from ...inference.families import roformer
from .checkpoint import convert, positive, sections, sources_of, weights_of
from .given import Converted, Given


def read(given: Given) -> Converted | None:
    """Recognise the weights of a RoFormer.

    Raises
    ------
    ModelError
        The checkpoint is damaged or would run code, its configuration is of another network, or it separates something
        else than a voice.
    UsageError
        Its configuration is missing.
    MissingExtraError
        The package bs-roformer is not installed.
    """
    weights = weights_of(given)
    if weights is None or not any(name.startswith("band_split.") for name in weights):
        return None
    return convert(
        given, weights, "roformer", _config, lambda config: roformer.build(config, given.path.stat().st_size)
    )


def _config(content: Mapping[str, Any]) -> roformer.Config:
    audio, model, training, inference = sections(content)
    kind = roformer.BS if "freqs_per_bands" in model else roformer.MEL if "num_bands" in model else None
    if kind is None:
        raise ModelError("not the configuration of a RoFormer (it has no bands)")
    hop = positive("hop_length", model.get("stft_hop_length", audio.get("hop_length", 512)))
    frames = positive("dim_t", inference.get("dim_t", audio.get("dim_t")))
    return roformer.Config(
        kind=kind,
        network=roformer.settings_of(model),
        sources=sources_of(training),
        samples=hop * (frames - 1),
        # With one, the seams between segments would be heard.
        overlaps=max(2, positive("num_overlap", inference.get("num_overlap", 2))),
        sample_rate=audio.get("sample_rate", 44100),
    )
