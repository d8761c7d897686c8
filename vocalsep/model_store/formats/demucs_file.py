"""Checkpoints of Demucs: packages (``.th``), safetensors of the model hub, and bags of several (``.yaml``)."""

from __future__ import annotations

import dataclasses
import fractions
import inspect
import json
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...checks import number
from ...errors import ModelError
from ...inference.families import demucs
from ...inference.families.table import FamilyInfo
from ...model_files import registry
from ...model_files.torch_archive import ClassName, weights_in
from ...model_files.yaml_file import read_yaml
from .given import Converted, Given
from .safetensors_file import is_safetensors, read_header, read_weights

LICENCE = (
    "not stated in the file; what the author of Demucs publishes is for research (issues 327 and 508 of its repository)"
)
LONGEST_SEGMENT_S = 600
QUANTIZED = "quantized by DiffQ, which vocalsep does not read"
# The end of a file's name, when it is the start of the file's SHA-256.
CHECKSUM = re.compile(r".*-([0-9a-f]{8,64})")
YAML_SUFFIXES, NETWORK_SUFFIXES = (".yaml", ".yml"), (".safetensors", ".th")


@dataclasses.dataclass(frozen=True)
class _Network:
    """A network as a file describes it; `settings` without the segment, which is seconds."""

    kind: str
    settings: dict[str, Any]
    segment: fractions.Fraction
    weights: dict[str, np.ndarray]


def read(given: Given) -> Converted | None:
    """Recognise a checkpoint of Demucs, or a bag of several.

    Raises
    ------
    ModelError
        It is damaged or quantized, its weights do not fit its own description, or a network of a bag is missing.
    MissingExtraError
        The package demucs is not installed.
    """
    if given.path.suffix.lower() in YAML_SUFFIXES:
        return _bag(given)
    network = _network(given)
    return None if network is None else _converted(given, [network], None, None)


def members(path: pathlib.Path) -> list[str]:
    """Return the names of the networks in a bag; raises ModelError."""
    names = read_yaml(path).get("models")
    if not isinstance(names, list) or not 0 < len(names) <= demucs.MOST_NETWORKS:
        raise ModelError("not a bag of Demucs networks (it has no list of models)", path=path)
    # They become names of files beside the bag.
    if not all(isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_]{1,64}", name) for name in names):
        raise ModelError("the names of the bag's networks make no sense", path=path)
    return names


def _bag(given: Given) -> Converted:
    networks = []
    for name in members(given.path):
        beside = sorted(given.path.parent.glob(f"{name}*"))
        fitting = [
            path
            for path in beside
            if path.is_file()
            and path.suffix in NETWORK_SUFFIXES
            and (path.stem == name or path.stem.startswith(f"{name}-"))
        ]
        if not fitting:
            raise ModelError(
                f"its network {name} is not beside it",
                path=given.path,
                hint=f"put {name}.safetensors or {name}-*.th into the same folder",
            )
        network = _network(Given(fitting[0], None, given.origin))
        if network is None:
            raise ModelError("not a checkpoint of Demucs", path=fitting[0])
        networks.append(network)
    content = read_yaml(given.path)
    return _converted(given, networks, content.get("weights"), content.get("segment"))


def _network(given: Given) -> _Network | None:
    """Read one network; None if the file is of another kind."""
    path = given.path
    if is_safetensors(given):
        metadata = read_header(path).get("__metadata__", {})
        if "klass" not in metadata:
            return None
        if "structure" in metadata:
            raise ModelError(QUANTIZED, path=path, hint="take the variant without _q in its name")
        try:
            args, kwargs = (_decoded(json.loads(metadata[key])) for key in ("args", "kwargs"))
        except (KeyError, ValueError, RecursionError):
            raise ModelError("the description of the network is damaged", path=path) from None
        return _described(path, metadata["klass"], args, kwargs, read_weights(path))
    package = given.checkpoint
    if not isinstance(package, dict) or not isinstance(package.get("klass"), ClassName):
        return None
    _check_name(path)
    state = package.get("state")
    if isinstance(state, dict) and "__quantized" in state:
        raise ModelError(QUANTIZED, path=path, hint="take the variant without _q in its name")
    weights = weights_in(state)
    if weights is None:
        raise ModelError("the package holds no weights", path=path)
    return _described(path, package["klass"], package.get("args"), package.get("kwargs"), weights)


def _check_name(path: pathlib.Path) -> None:
    """Raise ModelError unless a file has the checksum that is in its name, if there is one."""
    named = CHECKSUM.fullmatch(path.stem)
    if named and not registry.checksum(path).startswith(named[1]):
        raise ModelError("is not what its name says: the checksum is wrong", path=path, hint="download it again")


def _decoded(value: Any) -> Any:
    """Return a value of the model hub's JSON, in which fractions are dictionaries."""
    if isinstance(value, dict) and value.get("_type") == "fraction":
        above, below = value.get("numerator"), value.get("denominator")
        if not isinstance(above, int) or not isinstance(below, int) or not below:
            raise ValueError("no fraction")
        return fractions.Fraction(above, below)
    if isinstance(value, dict):
        return {key: _decoded(each) for key, each in value.items()}
    return [_decoded(each) for each in value] if isinstance(value, list) else value


def _described(path: pathlib.Path, dotted: str, args: Any, kwargs: Any, weights: dict[str, np.ndarray]) -> _Network:
    module, _, kind = str(dotted).rpartition(".")
    if kind not in demucs.KINDS or module.split(".")[0] != "demucs":
        raise ModelError(f"a network of another program ({str(dotted)[:64]})", path=path)
    if not isinstance(args, list | tuple) or not isinstance(kwargs, dict):
        raise ModelError("the description of the network is damaged", path=path)
    signature = inspect.signature(demucs.network_class(kind))
    # As the package does: settings that its networks no longer have are left out.
    known = {name: value for name, value in kwargs.items() if name in signature.parameters}
    try:
        bound = signature.bind(*args, **known)
        bound.apply_defaults()
        segment = _seconds(bound.arguments.pop("segment"))
        settings = {name: list(value) if isinstance(value, tuple) else value for name, value in bound.arguments.items()}
        demucs.check_settings(settings)
    except (TypeError, ValueError, ModelError) as error:
        raise ModelError(f"the description of the network makes no sense ({error})", path=path) from None
    return _Network(kind, settings, segment, weights)


def _converted(given: Given, networks: Sequence[_Network], weights: Any, segment: Any) -> Converted:
    first = networks[0].settings
    sources, rate = first.get("sources"), first.get("samplerate", 44100)
    if not isinstance(sources, list) or not isinstance(rate, int):
        raise ModelError("the network's sources are no list, or its rate is no whole number", path=given.path)
    for network in networks:
        if network.settings.get("sources") != sources or network.settings.get("samplerate", 44100) != rate:
            raise ModelError("the networks of the bag have different sources or rates", path=given.path)
    segments = {_segment(network, segment, given.path) for network in networks}
    if len(segments) > 1:
        raise ModelError("the networks of the bag have segments of different lengths", path=given.path)
    seconds = segments.pop()
    samples = int(seconds * rate)
    try:
        config = demucs.Config(
            networks=tuple(
                {
                    "kind": network.kind,
                    "settings": network.settings,
                    "segment": [seconds.numerator, seconds.denominator],
                }
                for network in networks
            ),
            weights=_weights(weights, len(networks), len(sources)),
            sources=tuple(sources),
            samples=samples,
            context=max(demucs.context_samples(network.kind, network.settings, samples) for network in networks),
            channels=first.get("audio_channels", 2),
            sample_rate=rate,
        )
        named: dict[str, np.ndarray] = {}
        for index, network in enumerate(networks):
            _check_weights(config.networks[index], network.weights)
            named |= {f"{index}.{name}": values for name, values in network.weights.items()}
    except ModelError as error:
        raise error.about(given.path) from None
    parameters = sum(values.size for values in named.values())
    return Converted(FamilyInfo("demucs", config, given.card(licence=LICENCE), parameters), named)


def _segment(network: _Network, asked: Any, path: pathlib.Path) -> fractions.Fraction:
    """Return the seconds of a network's segments in a bag that asks for some; a transformer takes at most its own."""
    if asked is None:
        return network.segment
    try:
        seconds = _seconds(asked)
    except ModelError as error:
        raise error.about(path) from None
    return network.segment if network.kind == "HTDemucs" and seconds > network.segment else seconds


def _seconds(value: Any) -> fractions.Fraction:
    """Return the seconds of a segment; raises ModelError."""
    if isinstance(value, bool) or not isinstance(value, int | float | fractions.Fraction):
        raise ModelError("a segment is no number of seconds")
    if not 0 < value <= LONGEST_SEGMENT_S:
        raise ModelError(f"a segment has at most {LONGEST_SEGMENT_S} seconds")
    return fractions.Fraction(value)


def _weights(weights: Any, networks: int, sources: int) -> tuple[tuple[float, ...], ...]:
    if weights is None:
        return ((1.0,) * sources,) * networks
    rows = isinstance(weights, list) and all(isinstance(row, list) for row in weights)
    if not rows:
        raise ModelError("the bag's weights are no table of numbers")
    for weight in (weight for row in weights for weight in row):
        number("a weight", weight, 0, demucs.LARGEST_WEIGHT)
    return tuple(tuple(float(each) for each in row) for row in weights)


def _check_weights(network: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> None:
    expected = {name: tuple(values.shape) for name, values in demucs.build(network).state_dict().items()}
    given = {name: values.shape for name, values in weights.items()}
    if given != expected:
        differing = sorted(set(given.items()) ^ set(expected.items()))
        raise ModelError(f"the weights are not those of {network['kind']} (such as {differing[0][0]})")
