"""Checkpoints of a run: everything that the next step depends on, in one safetensors file.

Examples, dropout and the learning rate are functions of the seed and the step, so only the step is stored.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from ..errors import ModelError, OutputError
from ..system.atomic_files import Pending, os_error_text

HEADER_KEY = "vocalsep-training"
NETWORK, AVERAGE, OPTIMIZER = "network", "average", "optimizer"
CRITICS, CRITIC_OPTIMIZER = "critics", "critic-optimizer"
MOST_NAMED = 200


@dataclasses.dataclass
class Progress:
    """The progress of a run.

    Parameters
    ----------
    step : int
        Steps done.
    supervised : float or None
        In semi-supervised training, `best` and `best_step` of the supervised training, with `supervised_step`.
    best : float or None
        Best validation SDR of the vocals so far, in dB; `best_step` is its step.
    worse : int
        Number of validations since then.
    seconds : float
        Time spent training, over all sessions.
    losses : list of float
        Losses of the steps since the last row of the log.
    tries, faults : int
        Number of excerpts that were read or tried, and of those that could not be read.
    faulty : dict
        Errors and how often each occurred, up to `MOST_NAMED`.
    """

    step: int = 0
    best: float | None = None
    best_step: int = 0
    worse: int = 0
    seconds: float = 0.0
    losses: list[float] = dataclasses.field(default_factory=list)
    tries: int = 0
    faults: int = 0
    faulty: dict[str, int] = dataclasses.field(default_factory=dict)
    supervised: float | None = None
    supervised_step: int = 0

    def count(self, tries: int, faults: tuple[str, ...]) -> None:
        """Add the excerpts and errors of one batch."""
        self.tries += tries
        self.faults += len(faults)
        for fault in faults:
            if fault in self.faulty or len(self.faulty) < MOST_NAMED:
                self.faulty[fault] = self.faulty.get(fault, 0) + 1


@dataclasses.dataclass(frozen=True)
class State:
    """The contents of a checkpoint besides the progress; critics only in semi-supervised training."""

    network: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    critics: nn.Module | None = None
    critic_optimizer: torch.optim.Optimizer | None = None

    def modules(self) -> dict[str, nn.Module]:
        """Return all networks by name."""
        named = {NETWORK: self.network, AVERAGE: self.average, CRITICS: self.critics}
        return {name: module for name, module in named.items() if module is not None}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return all optimizers by name."""
        named = {OPTIMIZER: self.optimizer, CRITIC_OPTIMIZER: self.critic_optimizer}
        return {name: optimizer for name, optimizer in named.items() if optimizer is not None}


def save(path: pathlib.Path, state: State, progress: Progress) -> None:
    """Write a checkpoint atomically.

    Raises
    ------
    OutputError
        The file cannot be written; the previous one is kept.
    """
    tensors: dict[str, Tensor] = {}
    for part, module in state.modules().items():
        for name, tensor in module.state_dict().items():
            tensors[f"{part}/{name}"] = tensor.detach().cpu().clone().contiguous()
    for part, optimizer in state.optimizers().items():
        for index, moments in optimizer.state_dict()["state"].items():
            for name, tensor in moments.items():
                tensors[f"{part}/{index}/{name}"] = tensor.detach().cpu().clone().contiguous()
    data = to_bytes(tensors, {HEADER_KEY: json.dumps(dataclasses.asdict(progress))})
    with Pending(path, overwrite=True) as pending:
        try:
            pending.path.write_bytes(data)
        except OSError as error:
            raise OutputError(
                f"the checkpoint cannot be written ({os_error_text(error)})", path=path, hint="the last one is kept"
            ) from None
        pending.commit()


def load_progress(path: pathlib.Path) -> Progress:
    """Read the progress of a run from its checkpoint; raises ModelError if it is missing or damaged."""
    with _open(path) as file:
        return _progress(file)


def load(path: pathlib.Path, state: State) -> Progress:
    """Read a checkpoint into the objects of a run.

    Raises
    ------
    ModelError
        The file is missing or damaged, or of another architecture.
    """
    parts: dict[str, dict[str, Tensor]] = {name: {} for name in (*state.modules(), *state.optimizers())}
    with _open(path) as file:
        progress = _progress(file)
        for key in file.keys():  # noqa: SIM118 - not a dictionary
            part, _, name = key.partition("/")
            parts[part][name] = file.get_tensor(key)
    try:
        for name, module in state.modules().items():
            module.load_state_dict(parts[name])
        for name, optimizer in state.optimizers().items():
            optimizer.load_state_dict(_optimizer_state(optimizer, parts[name]))
    except (RuntimeError, ValueError, KeyError):
        raise ModelError(
            "is a checkpoint of another architecture than the run's own config.toml says",
            path=path,
            hint="correct that, or start a new run in another folder",
        ) from None
    return progress


@contextlib.contextmanager
def _open(path: pathlib.Path) -> Iterator[Any]:
    try:
        with safe_open(path, "pt") as file:
            yield file
    except FileNotFoundError:
        raise ModelError("no checkpoint to resume from", path=path, hint="start a new run in another folder") from None
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        raise ModelError(
            "is not a checkpoint of a training run, or damaged",
            path=path,
            hint="replace it with a copy of best.safetensors",
        ) from None


def _progress(file: Any) -> Progress:
    return Progress(**json.loads(file.metadata()[HEADER_KEY]))


def _optimizer_state(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> dict[str, Any]:
    moments: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition("/")
        moments.setdefault(int(index), {})[name] = tensor
    return {"state": moments, "param_groups": optimizer.state_dict()["param_groups"]}
