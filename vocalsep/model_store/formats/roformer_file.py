"""Checkpoints of RoFormers (``.ckpt``, ``.pth``, ``.safetensors``), each with the YAML file that it was trained by."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import ModelError
from ...inference.backend import VOCALS
from ...inference.families import roformer
from ...inference.families.table import FamilyInfo
from ...model_files.torch_archive import is_torch_file, read_legacy_torch_file, read_torch_file, weights_in
from ...model_files.yaml_file import read_yaml
from .given import CONFIGURATIONS, KARAOKE_REMARK, Converted, Given, source_name
from .safetensors_file import is_safetensors, read_weights

CONFIG_SUFFIXES = (".yaml", ".yml")
# The first byte of a pickle without an archive around it, as PyTorch wrote until 2020.
PICKLE = b"\x80"


def read(given: Given) -> Converted | None:
    """Recognise the weights of a RoFormer.

    Raises
    ------
    ModelError
        The checkpoint is damaged or would run code, its configuration is missing or of another network, or it
        separates something else than a voice.
    MissingExtraError
        The package bs-roformer is not installed.
    """
    weights = _weights(given)
    if weights is None:
        return None
    if not any(name.startswith("band_split.") for name in weights):
        return None
    path = _configuration(given)
    content = read_yaml(path)
    try:
        config, remarks = _config(content, given.facts.get("karaoke") is True)
    except ModelError as error:
        raise error.about(path) from None
    expected = {name: tuple(value.shape) for name, value in roformer.build(config).state_dict().items()}
    found = {name: value.shape for name, value in weights.items()}
    if found != expected:
        differing = sorted(set(found.items()) ^ set(expected.items()))
        raise ModelError(
            f"the weights do not fit the configuration (such as {differing[0][0]})",
            path=given.path,
            hint=f"is {path.name} the right one?",
        )
    parameters = sum(value.size for value in weights.values())
    return Converted(FamilyInfo("roformer", config, given.card(remarks), parameters), weights)


def _weights(given: Given) -> dict[str, np.ndarray] | None:
    if is_safetensors(given):
        return read_weights(given.path)
    if is_torch_file(given.path):
        return weights_in(read_torch_file(given.path))
    if given.start[:1] == PICKLE:
        return weights_in(read_legacy_torch_file(given.path))
    return None


def _configuration(given: Given) -> pathlib.Path:
    """Return the file of the configuration: the one that was named, or the one that is beside the checkpoint."""
    if given.config is not None:
        return given.config
    listed = given.facts.get("config")
    names = [f"{given.path.stem}{suffix}" for suffix in CONFIG_SUFFIXES] + ([listed] if listed else [])
    for name in names:
        if (given.path.parent / name).is_file():
            return given.path.parent / name
    known = f"{CONFIGURATIONS}{listed}" if listed else "its YAML file"
    raise ModelError("a RoFormer without its configuration", path=given.path, hint=f"name {known} as its configuration")


def _config(content: Mapping[str, Any], karaoke: bool) -> tuple[roformer.Config, str]:
    """Return the configuration that a YAML file describes, and remarks for the card."""
    sections = [content.get(name) for name in ("audio", "model", "training", "inference")]
    if not all(isinstance(section, dict) for section in sections[:3]):
        raise ModelError("not the configuration of a RoFormer (it has no audio, model and training)")
    audio, model, training, inference = ({} if section is None else section for section in sections)
    kind = roformer.BS if "freqs_per_bands" in model else roformer.MEL if "num_bands" in model else None
    if kind is None:
        raise ModelError("not the configuration of a RoFormer (it has no bands)")
    target, stems = training.get("target_instrument"), training.get("instruments")
    if not isinstance(stems, list) or not stems or not all(isinstance(stem, str) for stem in [*stems, target or ""]):
        raise ModelError("the configuration names no instruments")
    sources = [source_name(stem, len(stems)) for stem in ([target] if target else stems)]
    hop = model.get("stft_hop_length", audio.get("hop_length", 512))
    frames = inference.get("dim_t", audio.get("dim_t"))
    overlaps = inference.get("num_overlap", 2)
    for value in (hop, frames, overlaps):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ModelError("the configuration's segments make no sense (dim_t, hop_length or num_overlap)")
    config = roformer.Config(
        kind=kind,
        network=roformer.settings_of(model),
        sources=tuple(sources),
        samples=hop * (frames - 1),
        # With one, the seams between segments would be heard.
        overlaps=max(2, overlaps),
        sample_rate=audio.get("sample_rate", 44100),
    )
    remarks = [] if VOCALS in sources else ["estimates the accompaniment; the vocals are the rest"]
    remarks += [KARAOKE_REMARK] if karaoke else []
    return config, "; ".join(remarks)
