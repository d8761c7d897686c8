"""Checkpoints of MDX23C, each with the YAML file that it was trained by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import ModelError
from ...inference.families import mdx23c
from .checkpoint import convert, positive, sections, sources_of, weights_of
from .given import Converted, Given


def read(given: Given) -> Converted | None:
    """Recognise the weights of an MDX23C network.

    Raises
    ------
    ModelError
        The checkpoint is damaged or would run code, its configuration is of another network, or it separates something
        else than a voice.
    UsageError
        Its configuration is missing.
    MissingExtraError
        torch is not installed.
    """
    weights = weights_of(given)
    if weights is None or not {"first_conv.weight", "final_conv.2.weight"} <= set(weights):
        return None
    return convert(given, weights, "mdx23c", _config, mdx23c.build)


def _config(content: Mapping[str, Any]) -> mdx23c.Config:
    audio, model, training, inference = sections(content)
    names = [*mdx23c.LARGEST, "scale"]
    if missing := [name for name in names if name not in model]:
        raise ModelError(f"not the configuration of MDX23C (it has no {missing[0]})")
    settings = {name: model[name] for name in names}
    return mdx23c.Config(
        network={**settings, "norm": model.get("norm"), "act": model.get("act", "gelu")},
        sources=sources_of(training),
        n_fft=positive("n_fft", audio.get("n_fft")),
        hop=positive("hop_length", audio.get("hop_length")),
        bins=positive("dim_f", audio.get("dim_f")),
        frames=positive("dim_t", inference.get("dim_t", audio.get("dim_t"))),
        overlaps=max(2, positive("num_overlap", inference.get("num_overlap", 4))),
        sample_rate=audio.get("sample_rate", 44100),
    )
