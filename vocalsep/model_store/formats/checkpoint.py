"""Checkpoints (``.ckpt``, ``.pth``, ``.safetensors``) whose networks are described by a YAML file beside them."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...errors import ModelError, UsageError
from ...inference.backend import VOCALS
from ...inference.families.table import FamilyInfo
from ...model_files.torch_archive import weights_in
from ...model_files.yaml_file import read_yaml
from .given import CONFIGURATIONS, KARAOKE_REMARK, Converted, Given, source_name
from .safetensors_file import is_safetensors, read_weights

CONFIG_SUFFIXES = (".yaml", ".yml")


def weights_of(given: Given) -> dict[str, np.ndarray] | None:
    """Return the weights of a checkpoint; None for files of other kinds.

    Raises
    ------
    ModelError
        It is damaged, or would run code.
    """
    if is_safetensors(given):
        return read_weights(given.path)
    return weights_in(given.checkpoint)


def convert(
    given: Given,
    weights: dict[str, np.ndarray],
    family: str,
    read_config: Callable[[Mapping[str, Any]], Any],
    build: Callable[[Any], Any],
) -> Converted:
    """Return a checkpoint of a family as a model of ours, once its weights fit the network of its configuration.

    Parameters
    ----------
    given : Given
    weights : dict
    family : str
        A name in `FAMILIES`.
    read_config : callable
        Gives the family's configuration for the content of the YAML file.
    build : callable
        Gives the network, a torch module, of that configuration.

    Raises
    ------
    ModelError
        The configuration makes no sense, or the weights do not fit it.
    UsageError
        The configuration is missing.
    MissingExtraError
        The packages that compute the network are not installed.
    """
    path = configuration_of(given)
    content = read_yaml(path)
    try:
        config = read_config(content)
        network = build(config)
    except ModelError as error:
        raise error.about(path) from None
    check_weights(weights, network.state_dict(), given, path)
    parameters = sum(value.size for value in weights.values())
    card = given.card(remarks_on(config.sources, given))
    return Converted(FamilyInfo(family, config, card, parameters), weights)


def configuration_of(given: Given) -> pathlib.Path:
    """Return the file of the configuration, the one that was named or the one beside the checkpoint.

    Raises
    ------
    UsageError
        There is none.
    """
    if given.config is not None:
        return given.config
    listed = given.facts.get("config")
    names = [f"{given.path.stem}{suffix}" for suffix in CONFIG_SUFFIXES] + ([listed] if listed else [])
    for name in names:
        if (given.path.parent / name).is_file():
            return given.path.parent / name
    known = f"{CONFIGURATIONS}{listed}" if listed else "its YAML file"
    raise UsageError(
        "a checkpoint without its configuration", path=given.path, hint=f"name {known} as its configuration"
    )


def sections(content: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return what a configuration says of audio, model, training and inference; raises ModelError."""
    audio, model, training, inference = (content.get(name) for name in ("audio", "model", "training", "inference"))
    inference = {} if inference is None else inference
    if not all(isinstance(section, dict) for section in (audio, model, training, inference)):
        raise ModelError("not the configuration of a network (it has no audio, model and training)")
    return audio, model, training, inference  # type: ignore[return-value]


def sources_of(training: Mapping[str, Any]) -> tuple[str, ...]:
    """Return our names of what a network gives; raises ModelError unless that makes sense for a voice."""
    target, stems = training.get("target_instrument"), training.get("instruments")
    if not isinstance(stems, list) or not stems or not all(isinstance(stem, str) for stem in [*stems, target or ""]):
        raise ModelError("the configuration names no instruments")
    return tuple(source_name(stem, len(stems)) for stem in ([target] if target else stems))


def positive(name: str, value: Any) -> int:
    """Return a whole number above 0 of a configuration; raises ModelError."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ModelError(f"the configuration's {name} makes no sense")
    return value


def remarks_on(sources: tuple[str, ...], given: Given) -> str:
    """Return what the user of a model should know of its sources."""
    remarks = [] if VOCALS in sources else ["estimates the accompaniment; the vocals are the rest"]
    return "; ".join(remarks + ([KARAOKE_REMARK] if given.facts.get("karaoke") is True else []))


def check_weights(
    weights: Mapping[str, np.ndarray], expected: Mapping[str, Any], given: Given, config: pathlib.Path
) -> None:
    """Raise ModelError unless weights have the names and shapes of a network's state."""
    wanted = {name: tuple(value.shape) for name, value in expected.items()}
    found = {name: value.shape for name, value in weights.items()}
    if found != wanted:
        differing = sorted(set(found.items()) ^ set(wanted.items()))
        raise ModelError(
            f"the weights do not fit the configuration (such as {differing[0][0]})",
            path=given.path,
            hint=f"is {config.name} the right one?",
        )
