"""The configuration of a training run: immutable, validated, and stored as TOML."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import sys
import typing
from collections.abc import Mapping
from typing import Any

from ..dsp.front_end import FrontEndConfig
from ..errors import UsageError, VocalsepError
from ..inference import devices
from ..mixing.config import MixingConfig
from ..model_files.config import ModelConfig
from ..networks.table import config_class

KINDS = ("musdb", "stems", "pairs", "voices", "instrumentals", "noise", "unlabelled")
PRECISIONS = ("auto", *devices.PRECISIONS, "float64")
# Names in configurations of earlier versions, which were those of Lightning Fabric.
FORMER_PRECISIONS = {"32-true": "float32", "bf16-mixed": "bfloat16", "16-mixed": "float16", "64-true": "float64"}
LARGEST_SEED = 2**31 - 1
# The largest that TOML guarantees to support.
LARGEST_INTEGER = 2**63 - 1


@dataclasses.dataclass(frozen=True)
class DataSet:
    """One folder of training or validation data.

    Parameters
    ----------
    kind : str
        ``musdb`` (MUSDB18 or MUSDB18-HQ), ``stems`` (one folder a song), ``pairs`` (originals with their
        instrumentals), ``voices`` (solo singing), ``instrumentals``, ``noise`` or ``unlabelled`` (songs without stems).
    path : str
    weight : float
        Probability of drawing from it, relative to the other sets of its kind.
    """

    kind: str
    path: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"unknown kind of data {self.kind!r}; known are {', '.join(KINDS)}")
        _above("weight", self.weight, 0)


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """The data of a run.

    Parameters
    ----------
    sets : tuple of DataSet
        Training data.
    valid : tuple of DataSet
        Validation data, ``stems`` or ``musdb`` (its 14 validation songs). By default, MUSDB18's validation songs if it
        is trained on, otherwise `valid_share` of the songs in `sets`.
    valid_share : float
        Share of the songs that are values out if there is no other validation data.
    exclude : tuple of str
        Patterns such as ``mir1k/train/bug*``: songs and files whose name or path matches are never used.
    frames : int
        Length of an example in STFT frames.
    valid_songs : int
        Largest number of validation songs, chosen evenly from all.
    valid_seconds : float
        Length in seconds of each song's validation excerpt.
    """

    sets: tuple[DataSet, ...] = ()
    valid: tuple[DataSet, ...] = ()
    valid_share: float = 0.1
    exclude: tuple[str, ...] = ()
    frames: int = 256
    valid_songs: int = 50
    valid_seconds: float = 10.0

    def __post_init__(self) -> None:
        _above("frames", self.frames, 0)
        _above("valid_songs", self.valid_songs, 0)
        _above("valid_seconds", self.valid_seconds, 0)
        if not 0 <= self.valid_share < 1:
            raise UsageError(f"valid_share must be from 0 to below 1, not {self.valid_share}")


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """Optimizer, length and precision of a run.

    Parameters
    ----------
    batch_size : int
        Examples per step, over all processes together.
    steps : int
        Optimizer steps of the whole run, unless `epochs` is above 0.
    epochs : float
        If above 0, length of the run in passes of its training data.
    lr : float
        Largest learning rate of Adam.
    warmup : int
        Steps in which the learning rate rises to `lr`; then it falls along a cosine to `final_lr` times `lr`.
    final_lr : float
    weight_decay : float
        Decoupled, as AdamW's.
    clip : float
        Largest norm of the gradients; 0 does not limit it.
    ema : float
        Decay per step of the moving average of the weights, which is validated and exported; 0 for no average.
    loss : str
        Weighted sum of names in `losses.LOSSES`: ``l1``, ``l1+0.1*sdr``.
    validate_every : int
        Steps between validations.
    patience : int
        Validations without improvement after which the run ends; 0 never ends it early.
    checkpoint_minutes : float
        Longest time between checkpoints.
    most_faulty : float
        Largest share of excerpts that may be unreadable before the run stops.
    precision : str
        ``float32``, ``bfloat16`` or ``float16`` for the products inside the network (mixed precision), ``float64`` for
        everything, or ``auto``: bfloat16 if the device supports it, otherwise float32.
    freeze_norms : bool
        Batch norms keep the statistics of the initial model, for fine-tuning with small batches.
    seed : int
    """

    batch_size: int = 8
    steps: int = 20000
    epochs: float = 0.0
    lr: float = 1e-3
    warmup: int = 100
    final_lr: float = 0.0
    weight_decay: float = 0.0
    clip: float = 1.0
    ema: float = 0.999
    loss: str = "l1"
    validate_every: int = 500
    patience: int = 0
    checkpoint_minutes: float = 3.0
    most_faulty: float = 0.1
    precision: str = "auto"
    freeze_norms: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("batch_size", "steps", "validate_every", "lr", "checkpoint_minutes"):
            _above(name, getattr(self, name), 0)
        for name in ("epochs", "warmup", "weight_decay", "clip", "patience", "most_faulty", "final_lr", "seed"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} must not be negative, not {getattr(self, name)}")
        if not 0 <= self.ema < 1:
            raise UsageError(f"ema must be from 0 to below 1, not {self.ema}")
        object.__setattr__(self, "precision", FORMER_PRECISIONS.get(self.precision, self.precision))
        if self.precision not in PRECISIONS:
            raise UsageError(f"unknown precision {self.precision!r}; choose from {', '.join(PRECISIONS)}")
        if self.seed > LARGEST_SEED:
            raise UsageError(f"seed must be at most {LARGEST_SEED}, not {self.seed}")


@dataclasses.dataclass(frozen=True)
class AdversarialConfig:
    """Semi-supervised training after the supervised one, see `adversarial`; the defaults are those of its paper.

    Parameters
    ----------
    steps : int
        Optimizer steps after those of the supervised training; 0 for none.
    lr, critic_lr : float
        Learning rates of the separator and of the critics.
    critic_steps : int
        Steps of the critics for each of the separator.
    weight : float
        Weight of the critics' scores in the loss.
    additivity : float
        Weight of the squared difference between the mixture's magnitude and the sum of both estimates. It has no
        effect on a network with one mask for both sources.
    penalty : float
        Weight of the gradient penalty of the critics.
    """

    steps: int = 0
    lr: float = 5e-5
    critic_lr: float = 5e-5
    critic_steps: int = 5
    weight: float = 1e-3
    additivity: float = 1e-3
    penalty: float = 10.0

    def __post_init__(self) -> None:
        for name in ("lr", "critic_lr", "critic_steps"):
            _above(name, getattr(self, name), 0)
        for name in ("steps", "weight", "additivity", "penalty"):
            if getattr(self, name) < 0:
                raise UsageError(f"adversarial.{name} must not be negative, not {getattr(self, name)}")


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """The configuration of a whole run."""

    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    mixing: MixingConfig = dataclasses.field(default_factory=MixingConfig)
    training: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    adversarial: AdversarialConfig = dataclasses.field(default_factory=AdversarialConfig)

    def __post_init__(self) -> None:
        if self.data.frames % self.model.network.stride:
            raise UsageError(
                f"frames must be a multiple of {self.model.network.stride} for this network, not {self.data.frames}"
            )
        if self.adversarial.steps and not any(entry.kind == "unlabelled" for entry in self.data.sets):
            raise UsageError("semi-supervised training needs a data set of unlabelled songs")

    @property
    def example_samples(self) -> int:
        """Samples of an example, so that neither its frames nor the network need padding."""
        front_end = self.model.front_end
        return self.model.network.input_samples((self.data.frames - 1) * front_end.hop + front_end.n_fft)

    @property
    def steps(self) -> int:
        """Steps of the whole run, supervised and semi-supervised."""
        return self.training.steps + self.adversarial.steps

    def to_dict(self) -> dict[str, Any]:
        """Return tables and values that TOML can represent."""
        plain = dataclasses.asdict(self)
        plain["model"] = {"architecture": self.model.architecture, **plain["model"]}
        return plain

    @classmethod
    def from_dict(cls, tables: Mapping[str, Any]) -> TrainingConfig:
        """Build a configuration from tables as in TOML; missing settings have their defaults.

        Raises
        ------
        UsageError
            A name is unknown or a value is invalid.
        """
        parts = {
            "model": _model,
            "data": _data,
            "mixing": _table(MixingConfig),
            "training": _table(OptimizerConfig),
            "adversarial": _table(AdversarialConfig),
        }
        unknown = set(_checked_table(tables, "a configuration")) - set(parts)
        if unknown:
            raise UsageError(f"unknown table [{sorted(unknown)[0]}]; known are {', '.join(parts)}")
        try:
            return cls(**{name: parts[name](tables[name], name) for name in tables})
        except VocalsepError as error:
            raise UsageError(error.reason, path=error.path, hint=error.hint) from None


def read_toml(path: pathlib.Path) -> dict[str, Any]:
    """Read a TOML file; raises UsageError if it is missing or not TOML."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})", path=path) from None
    except ValueError as error:
        raise UsageError(f"is not TOML: {error}", path=path) from None


def _model(table: Any, where: str) -> ModelConfig:
    values = dict(_checked_table(table, where))
    architecture = values.pop("architecture", "unet")
    front_end = _table(FrontEndConfig)(values.pop("front_end", {}), f"{where}.front_end")
    kind = config_class(architecture)
    settings = values.pop("network", {})
    if isinstance(settings, Mapping):
        settings = kind.with_current_names(settings)
    if "bins" in {field.name for field in dataclasses.fields(kind)} and isinstance(settings, Mapping):
        # A network with a fixed number of bins has those of the front end.
        settings = {"bins": front_end.bins, **settings}
    network = _table(kind)(settings, f"{where}.network")
    if values:
        raise UsageError(f"unknown setting {where}.{sorted(values)[0]}")
    return ModelConfig(front_end, network, architecture)


def _data(table: Any, where: str) -> DataConfig:
    values = dict(_checked_table(table, where))
    for name in ("sets", "valid"):
        if name in values:
            if not isinstance(values[name], list | tuple):
                raise UsageError(f"{where}.{name} must be a list of tables")
            values[name] = tuple(_table(DataSet)(entry, f"{where}.{name}") for entry in values[name])
    config: DataConfig = _table(DataConfig)(values, where)
    return config


def _table(kind: type[Any]) -> Any:
    def build(table: Any, where: str) -> Any:
        values = dict(_checked_table(table, where))
        hints = typing.get_type_hints(kind)
        hints = {field.name: hints[field.name] for field in dataclasses.fields(kind)}
        for name, value in values.items():
            if name not in hints:
                raise UsageError(f"unknown setting {where}.{name}; known are {', '.join(hints)}")
            values[name] = _converted(value, hints[name], f"{where}.{name}")
        missing = [f.name for f in dataclasses.fields(kind) if f.default is f.default_factory and f.name not in values]
        if missing:
            raise UsageError(f"{where} lacks {missing[0]}")
        return kind(**values)

    return build


def _converted(value: Any, hint: Any, where: str) -> Any:
    """Convert a value of TOML, which has no tuples and writes 1 for 1.0, to the type of a field."""
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise UsageError(f"{where} must be a list, not {value!r}")
        inner = typing.get_args(hint)
        if inner[-1] is not Ellipsis and len(inner) != len(value):
            raise UsageError(f"{where} must hold {len(inner)} values, not {len(value)}")
        return tuple(_converted(entry, inner[0], where) for entry in value)
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise UsageError(f"{where} must lie within 64 bits, not {value}")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (int, float, str, bool) and type(value) is not hint:
        raise UsageError(f"{where} must be {_NAMES[hint]}, not {value!r}")
    if hint is float and not math.isfinite(value):
        raise UsageError(f"{where} must be a finite number, not {value}")
    return value


_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _checked_table(table: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(table, Mapping):
        raise UsageError(f"{where} must be a table, not {table!r}")
    return table


def _above(name: str, value: float, least: float) -> None:
    if not value > least:
        raise UsageError(f"{name} must be above {least}, not {value}")
