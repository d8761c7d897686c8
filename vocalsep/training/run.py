"""A whole run: its folder, its data, its network and its processes."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import pathlib
import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from .. import __version__
from ..datasets.cache import Cache
from ..datasets.pools import Pools
from ..errors import ModelError, UsageError, VocalsepError
from ..model_files import registry
from ..model_files.checkpoint import ModelInfo, load
from ..networks.network import Network
from ..networks.table import build
from ..system.folder_lock import lock_folder
from ..system.progress import Bar
from . import losses
from .config import TrainingConfig, read_toml
from .data import gather
from .folder import RunFolder
from .loop import Trainer, TrainResult, learning_rate
from .state import Progress, load_progress
from .validation import Scores, Validation

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CACHE = "stem-cache"


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a run lives and works; not part of what it computes.

    Parameters
    ----------
    out : pathlib.Path
        The run's folder.
    cache : pathlib.Path, optional
        Folder of seekable copies; by default ``stem-cache`` beside the run.
    resume : bool
    init : str, optional
        Model (a name or a file) whose weights are begun with.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    devices : int
        How many of them, on this machine.
    workers : int
        Processes that make examples, for each device.
    licence : str
        What the exported model says of its licence.
    steps, semi_steps : int, optional
        Of a resumed run, the steps that it shall have instead of those in its configuration, see `lengthened`.
    """

    out: pathlib.Path
    cache: pathlib.Path | None = None
    resume: bool = False
    init: str | None = None
    device: str = "auto"
    devices: int = 1
    workers: int = 2
    licence: str = "not stated"
    steps: int | None = None
    semi_steps: int | None = None


@dataclasses.dataclass(frozen=True)
class Finished:
    """A run that ended: where, how, and what it left out."""

    folder: RunFolder
    outcome: TrainResult
    unusable: tuple[str, ...]
    main: bool


def train(config: TrainingConfig, place: Place, say: Callable[[str], None], quiet: bool = False) -> Finished:
    """Train a model.

    Parameters
    ----------
    config : TrainingConfig
        Of a new run; a resumed one has its own.
    place : Place
    say : callable
        Told, line by line, what is going on.
    quiet : bool
        No progress bar.

    Raises
    ------
    UsageError, ModelError, AudioError, OutputError
        The options make no sense, the model to begin with does not fit, the data cannot be read, or the folder cannot
        be written. Whatever happens, the folder can be resumed from its last checkpoint.
    """
    folder = RunFolder(place.out)
    if place.resume:
        config = TrainingConfig.from_dict(read_toml(folder.held_config()))
        if (place.steps, place.semi_steps) != (None, None):
            done = load_progress(folder.last).step if folder.last.exists() else 0
            config = lengthened(config, place.steps, place.semi_steps, done)
    fabric = _fabric(place, config.training.precision)
    if fabric.global_rank:
        say = _silent
    with contextlib.ExitStack() as stack:
        with _together(fabric):
            if fabric.is_global_zero:
                stack.enter_context(lock_folder(folder.path, "wait for it, or choose another --out"))
                if not place.resume:
                    folder.begin()
        return _train(config, place, folder, fabric, say, quiet)


def lengthened(config: TrainingConfig, steps: int | None, semi_steps: int | None, done: int) -> TrainingConfig:
    """Return the configuration of a run that goes on for other numbers of steps than it began with.

    Its learning rate is then, from the next step on, that of a run which began with these numbers: the cosine is
    stretched to the new length, so that after the end of a run it rises again before it falls.

    Parameters
    ----------
    config : TrainingConfig
    steps, semi_steps : int, optional
        Of the supervised and of the semi-supervised training; by default as they are.
    done : int
        Steps done so far.

    Raises
    ------
    UsageError
        So many steps are done already, or that part of the training is over, or the run has no such part.
    """
    before = config.training.steps
    if steps is not None and steps != before and config.adversarial.steps and done >= before:
        raise UsageError(f"the supervised training is over after {before} steps; --semi-steps makes the rest longer")
    if semi_steps is not None and not config.adversarial.steps:
        raise UsageError("the run has no semi-supervised steps, which need data of their own; begin a new run for them")
    longer = dataclasses.replace(
        config,
        training=dataclasses.replace(config.training, steps=before if steps is None else steps),
        adversarial=dataclasses.replace(
            config.adversarial, steps=config.adversarial.steps if semi_steps is None else semi_steps
        ),
    )
    if longer.steps <= done or (steps is not None and steps < min(done, before)):
        raise UsageError(f"the run has done {done} of {config.steps} steps; --steps names more than it has done")
    return longer


def _train(
    config: TrainingConfig, place: Place, folder: RunFolder, fabric: Fabric, say: Callable[[str], None], quiet: bool
) -> Finished:
    if config.training.batch_size % fabric.world_size:
        raise UsageError(
            f"batch size {config.training.batch_size} cannot be shared out evenly over {fabric.world_size} processes; "
            "choose a multiple of their number"
        )
    losses.parse(config.training.loss)
    torch.manual_seed(config.training.seed)
    network = build(config.model.architecture, config.model.network)
    began_with = None if place.resume or place.init is None else _begin_with(network, config, place.init, say)

    unusable: list[str] = []
    cache = Cache(place.cache or place.out.parent / CACHE)
    with _together(fabric):
        # The first process fills the cache, the others find it full.
        pools, validation, described = gather(config, cache, unusable) if fabric.is_global_zero else (None, None, None)
    if pools is None or validation is None or described is None:
        pools, validation, described = gather(config, cache, [])
    if config.adversarial.steps and fabric.world_size > 1:
        raise UsageError("semi-supervised training runs in one process; leave out --devices and torchrun")
    steps = _steps(config, pools)
    settled = dataclasses.replace(config.training, steps=steps, epochs=0.0, precision=fabric._precision.precision)
    config = dataclasses.replace(config, training=settled)
    with _together(fabric):
        if fabric.is_global_zero and not place.resume:
            folder.write_config(config.to_dict())
            folder.write_data({**described, "began_with": began_with, "licence": place.licence})
    for line in unusable:
        say(f"left out: {line}")
    say(_summary(described, validation, network, fabric, steps, config))

    trainer = Trainer(fabric, config, folder, network, validation, _carder(folder, config, place))
    if place.resume and folder.last.exists():
        trainer.resume()
        say(f"going on from step {trainer.progress.step}")
    if (place.steps, place.semi_steps) != (None, None):
        # Those that were counted belong to the shorter run.
        trainer.progress.worse = 0
        step = min(trainer.progress.step, config.steps - 1)
        say(
            f"up to step {config.steps}: the learning rate follows the schedule of a run of so many steps, "
            f"{learning_rate(config, step):.3g} at first, {learning_rate(config, config.steps - 1):.3g} at the end"
        )
        with _together(fabric):
            if fabric.is_global_zero:
                folder.write_config(config.to_dict())
    return Finished(folder, _run(trainer, pools, place, quiet), tuple(unusable), fabric.is_global_zero)


def _run(trainer: Trainer, pools: Pools, place: Place, quiet: bool) -> TrainResult:
    from tqdm import tqdm

    progress, steps = trainer.progress, trainer.config.steps
    if progress.step >= steps:
        return TrainResult(progress)
    hidden = quiet or not trainer.fabric.is_global_zero

    def tell(line: str) -> None:
        if not hidden:
            tqdm.write(line, file=sys.stderr)

    # In a log file, a bar is thousands of lines; those of the validations say enough.
    off = hidden or not sys.stderr.isatty()
    with Bar(total=steps, initial=progress.step, unit="step", disable=off, dynamic_ncols=True) as bar:
        return trainer.run(pools, place.workers, bar, tell)


def _fabric(place: Place, precision: str) -> Fabric:
    from lightning_fabric import Fabric

    # What it has to say of precision and devices stands in our own first line.
    for name in ("lightning_fabric", "lightning.fabric", "lightning_utilities"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning_fabric")
    device = place.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if (device == "cuda" and not torch.cuda.is_available()) or (
        device == "mps" and not torch.backends.mps.is_available()
    ):
        raise UsageError(f"{device} is not available here; choose another --device")
    # torchrun has started this process as one of several.
    local = int(os.environ.get("LOCAL_WORLD_SIZE", place.devices))
    world = int(os.environ.get("WORLD_SIZE", local))
    if device == "cuda" and local > torch.cuda.device_count():
        raise UsageError(f"there are {torch.cuda.device_count()} GPUs, not {local}; ask for as many or fewer")
    if precision == "auto":
        precision = "bf16-mixed" if _computes_bf16(device) else "32-true"
    fabric = Fabric(
        accelerator=device,
        devices=local,
        num_nodes=max(1, world // local),
        strategy="ddp" if max(world, local) > 1 else "auto",
        precision=precision,  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric


def _computes_bf16(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    if device == "cpu":
        # Without these instructions the CPU emulates bfloat16, slowly.
        said = pathlib.Path("/proc/cpuinfo")
        flags = said.read_text("utf-8", "replace") if said.exists() else ""
        return "avx512_bf16" in flags or "amx_bf16" in flags
    return False


class _together:
    """Lets an error of the first process end all of them with the same line, instead of leaving the others waiting."""

    def __init__(self, fabric: Fabric):
        self.fabric = fabric

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, *_: object) -> None:
        if self.fabric.world_size == 1:
            return
        known = error if isinstance(error, VocalsepError) else None
        told = self.fabric.broadcast(str(known) if known else "")
        if self.fabric.global_rank and told:
            raise UsageError(told)


def _begin_with(network: Network, config: TrainingConfig, init: str, say: Callable[[str], None]) -> dict[str, Any]:
    """Copy all weights of a model that fit; layers that it does not have keep their own beginning."""
    path = registry.find(init)
    source, info = load(path)
    if info.config.front_end != config.model.front_end:
        raise UsageError(
            f"{init} works on another STFT ({info.config.front_end}) than the run; set [model.front_end] alike"
        )
    held, wanted = source.state_dict(), network.state_dict()
    fitting = {name: tensor for name, tensor in held.items() if name in wanted and wanted[name].shape == tensor.shape}
    if not fitting:
        raise ModelError(
            f"{init} holds no weights that fit the architecture {config.model.architecture!r}; choose another --init"
        )
    network.load_state_dict({**wanted, **fitting})
    new = len(wanted) - len(fitting)
    say(f"beginning with {init}" + (f"; {new} of {len(wanted)} tensors are new" if new else ""))
    return {"model": path.name, "sha256": registry.checksum(path), "card": _card_of(info)}


def _card_of(info: ModelInfo) -> dict[str, Any]:
    return {name: info.card[name] for name in ("licence", "trained_on") if name in info.card}


def _steps(config: TrainingConfig, pools: Pools) -> int:
    if not config.training.epochs:
        return config.training.steps
    seconds = config.training.batch_size * config.example_samples / config.model.front_end.sample_rate
    return max(1, round(config.training.epochs * pools.seconds / seconds))


def _carder(folder: RunFolder, config: TrainingConfig, place: Place) -> Callable[[Progress, Scores], dict[str, Any]]:
    def card(progress: Progress, scores: Scores) -> dict[str, Any]:
        said = json.loads(folder.data.read_text("utf-8"))
        sets = ", ".join(
            f"{entry['set']} ({len(entry['items'])} items, {entry['hours']:.2f} h)" for entry in said["train"]
        )
        return {
            "licence": said["licence"],
            "trained_on": sets,
            "began_with": said["began_with"],
            "vocalsep": __version__,
            "step": progress.step,
            "batch_size": config.training.batch_size,
            "loss": config.training.loss,
            "seed": config.training.seed,
            "figures": {
                "validation vocals uSDR dB": round(scores.vocals, 2),
                "validation accompaniment uSDR dB": round(scores.accompaniment, 2),
                "mixture as vocals dB": round(scores.mixture, 2),
            },
        }

    return card


def _summary(
    described: dict[str, Any],
    validation: Validation,
    network: Network,
    fabric: Fabric,
    steps: int,
    config: TrainingConfig,
) -> str:
    sets = "; ".join(f"{e['kind']} {e['set']}: {len(e['items'])} items, {e['hours']:.2f} h" for e in described["train"])
    same = " (the training songs themselves: this shows learning by heart)" if "valid_is_train" in described else ""
    parameters = sum(parameter.numel() for parameter in network.parameters())
    more = f", then {config.adversarial.steps} semi-supervised ones," if config.adversarial.steps else ""
    return (
        f"{config.model.architecture}, {parameters / 1e6:.2f} M parameters; {sets}; validation on {validation.count} "
        f"excerpts{same}; {steps} steps{more} of {config.training.batch_size} on {fabric.world_size} "
        f"{fabric.device.type} process{'es' if fabric.world_size > 1 else ''}, {config.training.precision}"
    )


def _silent(_: str) -> None:
    pass
