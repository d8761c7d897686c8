"""Demucs, Hybrid Demucs and Hybrid Transformer Demucs: single networks, and bags of several.

A. Défossez: "Hybrid spectrogram and waveform source separation", MDX workshop at ISMIR 2021; S. Rouard, F. Massa,
A. Défossez: "Hybrid transformers for music source separation", ICASSP 2023. The networks are those of the package
demucs.
"""

from __future__ import annotations

import dataclasses
import fractions
import inspect
import math
import pathlib
import threading
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...checks import LONGEST_TILE, number, whole_number
from ...errors import ModelError
from ...system.extras import require
from ..backend import SegmentShape
from .table import FamilyConfig, Running, Runtime

if TYPE_CHECKING:
    import torch

# Names of the networks' classes, and their modules in the package.
KINDS = {"HTDemucs": "demucs.htdemucs", "HDemucs": "demucs.hdemucs", "Demucs": "demucs.demucs"}
# The kind that takes samples around a segment in addition, so that its convolutions come out even.
WITH_CONTEXT = "Demucs"
MOST_NETWORKS = 32
LARGEST_WEIGHT = 1000
OVERLAP = 0.25
# Settings of a network are smaller, so that a configuration cannot ask for absurd sizes.
LARGEST_SETTING, DEEPEST, LONGEST_TEXT, LONGEST_LIST = 1 << 16, 64, 64, 64


@dataclasses.dataclass(frozen=True)
class Config:
    """Networks, and how much each counts for each source.

    Parameters
    ----------
    networks : tuple of dict
        ``kind``, one of `KINDS`; ``settings`` of the network by their names in the package; and ``segment``, its
        seconds as numerator and denominator.
    weights : tuple of tuple of float
        For each network, its weight for each source.
    sources : tuple of str
    samples : int
        Samples of a segment.
    context : int
        Samples around a segment that a network takes in addition.
    channels : int
    sample_rate : int
        Hz.
    """

    networks: tuple[dict[str, Any], ...]
    weights: tuple[tuple[float, ...], ...]
    sources: tuple[str, ...]
    samples: int
    context: int = 0
    channels: int = 2
    sample_rate: int = 44100

    def __post_init__(self) -> None:
        for name in ("networks", "weights", "sources"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        whole_number("sample_rate", self.sample_rate, 8000, 192000)
        whole_number("context", self.context, 0, self.samples)
        whole_number("number of networks", len(self.networks), 1, MOST_NETWORKS)
        for network in self.networks:
            if set(network) != {"kind", "settings", "segment"} or network["kind"] not in KINDS:
                raise ModelError("a network's configuration makes no sense")
            whole_number("numerator of the segment", network["segment"][0], 1, LONGEST_TILE)
            whole_number("denominator of the segment", network["segment"][1], 1, LONGEST_TILE)
            check_settings(network["settings"])
        _ = self.shape
        if len(self.weights) != len(self.networks) or any(len(row) != len(self.sources) for row in self.weights):
            raise ModelError("the weights do not fit the networks and sources")
        for weight in (weight for row in self.weights for weight in row):
            number("a weight", weight, 0, LARGEST_WEIGHT)
        if not all(self.totals):
            raise ModelError("a source has weight 0 in all networks")

    @property
    def totals(self) -> list[float]:
        """Sum of the networks' weights for each source."""
        return [sum(column) for column in zip(*self.weights, strict=True)]

    @property
    def shape(self) -> SegmentShape:
        """Overlapping segments with triangular windows; only the newest kind takes a last one of the full length."""
        fixed = all(network["kind"] == "HTDemucs" for network in self.networks)
        return SegmentShape(
            self.channels,
            self.samples + self.context,
            int((1 - OVERLAP) * self.samples),
            self.sources,
            window="triangle",
            ending="centred" if fixed else "short",
            context=self.context,
        )


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise ModelError for settings of a network that no published one has."""
    if not isinstance(settings, dict):
        raise ModelError("a network's settings are no dictionary")
    for name, value in settings.items():
        for each in value if isinstance(value, list | tuple) else [value]:
            if isinstance(each, bool) or each is None:
                continue
            if isinstance(each, str) and len(each) <= LONGEST_TEXT:
                continue
            largest = DEEPEST if "depth" in name or "layers" in name or "iters" in name else LARGEST_SETTING
            if isinstance(each, int | float) and math.isfinite(each) and abs(each) <= largest:
                continue
            raise ModelError(f"a network's setting {name} cannot be {str(each)[:LONGEST_TEXT]}")
        if isinstance(value, list | tuple) and len(value) > LONGEST_LIST:
            raise ModelError(f"a network's setting {name} is too long")


def network_class(kind: str) -> Any:
    """Return the class of a kind of network; raises MissingExtraError."""
    import importlib

    require("demucs", "a model of Demucs")
    return getattr(importlib.import_module(KINDS[kind]), kind)


def build(network: Mapping[str, Any]) -> torch.nn.Module:
    """Return a network without values, on the device ``meta``.

    Raises
    ------
    MissingExtraError
        The package is not installed.
    ModelError
        The package refuses the configuration.
    """
    import torch

    kind = network_class(network["kind"])
    known = inspect.signature(kind).parameters
    settings = {name: value for name, value in network["settings"].items() if name in known}
    # Settings that make no sense are found out by the shapes of the weights.
    warnings.filterwarnings("ignore", message="Initializing zero-element tensors", category=UserWarning)
    try:
        with torch.device("meta"):
            built: torch.nn.Module = kind(**settings, segment=fractions.Fraction(*network["segment"]))
    except Exception as error:  # Whatever a constructor does with numbers that do not fit together.
        raise ModelError(f"the network's configuration makes no sense ({error})") from None
    return built


class Bag:
    """Networks that are loaded when they are needed."""

    def __init__(self, path: pathlib.Path, config: Config, device: torch.device):
        self.path = path
        self.config = config
        self.device = device
        self._loaded: dict[int, torch.nn.Module] = {}
        self._lock = threading.Lock()

    def __call__(self, mixtures: torch.Tensor, names: Sequence[str]) -> torch.Tensor:
        """Return sources (batch, names, channels, samples) of mixtures (batch, channels, samples)."""
        import torch

        config = self.config
        indices = [config.sources.index(name) for name in names]
        total = torch.tensor([config.totals[index] for index in indices], device=self.device)[:, None, None]
        result = torch.zeros(1, device=self.device)
        for number_, row in enumerate(config.weights):
            weights = torch.tensor([row[index] for index in indices], device=self.device)
            # Of a fine-tuned bag, each network counts for one source only.
            if weights.any():
                result = result + weights[:, None, None] * self._estimates(number_, mixtures)[:, indices]
        return result / total

    def _estimates(self, index: int, mixtures: torch.Tensor) -> torch.Tensor:
        """Return all sources (batch, sources, channels, samples) that a network makes of mixtures."""
        import torch

        network, context = self.network(index), self.config.context
        if self.config.networks[index]["kind"] == WITH_CONTEXT or not context:
            estimates: torch.Tensor = network(mixtures)
            return estimates
        left = context // 2
        used = mixtures[..., left : mixtures.shape[-1] - (context - left)]
        return torch.nn.functional.pad(network(used), (left, context - left))

    def network(self, index: int) -> torch.nn.Module:
        """Return a network on the device; raises ModelError."""
        from .torch_segments import load_weights

        with self._lock:
            if index not in self._loaded:
                network = load_weights(self.path, build(self.config.networks[index]), f"{index}.")
                self._loaded[index] = network.to(self.device)
            return self._loaded[index]


def open_backend(path: pathlib.Path, config: FamilyConfig, runtime: Runtime) -> Running:
    """Open a converted checkpoint, see `table.FamilyModule`."""
    from .torch_segments import start

    if not isinstance(config, Config):
        raise TypeError(f"{type(config).__name__} is the configuration of another family")
    for network in config.networks:
        network_class(network["kind"])
    return start(config.shape, runtime, lambda device: Bag(path, config, device))


def context_samples(kind: str, settings: Mapping[str, Any], samples: int) -> int:
    """Return the samples around a segment that a network takes in addition; raises as `build`."""
    if kind != WITH_CONTEXT:
        return 0
    network: Any = build({"kind": kind, "settings": settings, "segment": [1, 1]})
    return int(network.valid_length(samples)) - samples
