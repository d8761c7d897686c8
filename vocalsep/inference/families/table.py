"""The table of all families, by name. Importing this module imports neither torch nor ONNX Runtime."""

from __future__ import annotations

import dataclasses
import importlib
import pathlib
from collections.abc import Mapping
from typing import Any, Protocol, cast

from ...checks import VALUE_ERRORS, shown, whole_number
from ...errors import ModelError
from ..backend import SegmentBackend, SegmentShape


class FamilyConfig(Protocol):
    """What a family's ``Config`` has, a frozen dataclass whose values JSON can represent.

    Its `__post_init__` raises ModelError on impossible values, before anything is allocated by them.

    Attributes
    ----------
    sample_rate : int
        Hz.
    shape : SegmentShape
        Without values to compute it from, a property.
    """

    @property
    def sample_rate(self) -> int: ...  # noqa: D102

    @property
    def shape(self) -> SegmentShape: ...  # noqa: D102


@dataclasses.dataclass(frozen=True)
class Runtime:
    """What the user asks of the runtime that computes a network.

    Parameters
    ----------
    device : str
        One of `devices.DEVICES`.
    precision : str
        One of `devices.PRECISIONS`.
    threads : int or None
        None for as many as there are cores.
    """

    device: str = "auto"
    precision: str = "float32"
    threads: int | None = None


@dataclasses.dataclass(frozen=True)
class Running:
    """A network that is ready to compute; `where`, `device` and `fallback` as in `opening.Opened`."""

    backend: SegmentBackend
    where: str
    device: str
    fallback: str = ""


class FamilyModule(Protocol):
    """What the module of a family has."""

    Config: type[FamilyConfig]

    def open_backend(self, path: pathlib.Path, config: FamilyConfig, runtime: Runtime) -> Running:
        """Open a model file of the family.

        Raises
        ------
        ModelError
            The weights are damaged, or do not fit the configuration.
        UsageError
            The family has no such device or precision; MissingExtraError where packages are missing.
        """


@dataclasses.dataclass(frozen=True)
class Family:
    """One family of networks.

    Parameters
    ----------
    module : str
        Name of the module in this package, see `FamilyModule`.
    title : str
        What people call it.
    """

    module: str
    title: str

    def load(self) -> FamilyModule:
        """Import the module of the family."""
        return cast(FamilyModule, importlib.import_module(f".{self.module}", __package__))


MOST_PARAMETERS = 1 << 40
# By the name in model files.
FAMILIES = {
    "htdemucs-onnx": Family("htdemucs_onnx", "HT-Demucs as an ONNX graph"),
    "demucs": Family("demucs", "Demucs"),
    "mdx23c": Family("mdx23c", "MDX23C"),
    "mdx-net": Family("mdx_net", "MDX-Net"),
    "roformer": Family("roformer", "RoFormer"),
}


@dataclasses.dataclass(frozen=True)
class FamilyInfo:
    """Configuration and card of a model file of a family.

    Parameters
    ----------
    family : str
        A name in `FAMILIES`.
    config : FamilyConfig
    card : dict
        Keys such as ``name``, ``licence``, ``source``, ``figures``.
    parameters : int
        Number of values in the weights.
    """

    family: str
    config: FamilyConfig
    card: dict[str, Any]
    parameters: int

    def to_dict(self) -> dict[str, Any]:
        """Return the metadata of a model file, which JSON can represent."""
        config = dataclasses.asdict(self.config)  # type: ignore[call-overload]
        return {"family": self.family, "config": config, "card": self.card, "parameters": self.parameters}


def parse_family(metadata: Mapping[str, Any]) -> FamilyInfo:
    """Parse the metadata of a model file that has the key ``family``.

    Raises
    ------
    ModelError
        The family is unknown, or its configuration is invalid.
    """
    name = metadata["family"]
    if not isinstance(name, str) or name not in FAMILIES:
        raise ModelError(f"unknown family {shown(name)}; known are {', '.join(FAMILIES)}")
    try:
        config = FAMILIES[name].load().Config(**metadata["config"])
        whole_number("parameters", metadata["parameters"], 0, MOST_PARAMETERS)
        return FamilyInfo(name, config, dict(metadata["card"]), metadata["parameters"])
    except VALUE_ERRORS as error:
        raise ModelError(f"the model's configuration is invalid ({error})") from None
