"""Train a model: set up a run's folder, data, network and processes."""

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
from ..inference.devices import choose_device
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
from .loop import Trainer, TrainResult
from .schedule import learning_rate
from .state import Progress, load_progress
from .validation import Scores, Validation

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CACHE = "stem-cache"
# Lightning Fabric's names of our precisions: below 32 bits they are those of products, not of weights.
FABRIC_PRECISIONS = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed", "float64": "64-true"}


@dataclasses.dataclass(frozen=True)
class RunLocation:
    """Folders, devices and processes of a run, which its result does not depend on.

    Parameters
    ----------
    out : pathlib.Path
        The run's folder.
    cache : pathlib.Path, optional
        Folder of seekable copies; by default ``stem-cache`` beside the run.
    resume : bool
    init : str, optional
        Model (a name or a file) to take the initial weights from.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    devices : int
        Number of devices on this machine.
    workers : int
        Worker processes that mix examples, for each device.
    licence : str
        Licence in the card of the exported model.
    steps, semi_steps : int, optional
        New numbers of steps of a resumed run, see `with_more_steps`.
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
class FinishedRun:
    """A run that ended.

    Parameters
    ----------
    folder : RunFolder
    result : TrainResult
    unusable : tuple of str
        A line about each song or file that was left out.
    main : bool
        Whether this is the first process of the run, which reports to the user.
    """

    folder: RunFolder
    result: TrainResult
    unusable: tuple[str, ...]
    main: bool


def train(
    config: TrainingConfig, location: RunLocation, report: Callable[[str], None], quiet: bool = False
) -> FinishedRun:
    """Train a model.

    Parameters
    ----------
    config : TrainingConfig
        Configuration of a new run; a resumed one uses its own.
    location : RunLocation
    report : callable
        Called with lines about the progress.
    quiet : bool
        No progress bar.

    Raises
    ------
    UsageError, ModelError, AudioError, OutputError
        The options are invalid, the initial model does not fit, the data cannot be read, or the folder cannot be
        written. In any case, the run can be resumed from its last checkpoint.
    """
    folder = RunFolder(location.out)
    if location.resume:
        config = TrainingConfig.from_dict(read_toml(folder.existing_config()))
        if (location.steps, location.semi_steps) != (None, None):
            done = load_progress(folder.last).step if folder.last.exists() else 0
            config = with_more_steps(config, location.steps, location.semi_steps, done)
    fabric, precision, remark = _fabric(location, config.training.precision)
    if fabric.global_rank:
        report = _silent
    with contextlib.ExitStack() as stack:
        with _shared_errors(fabric):
            if fabric.is_global_zero:
                stack.enter_context(lock_folder(folder.path, "wait for it, or choose another folder"))
                if not location.resume:
                    folder.create()
        config = dataclasses.replace(config, training=dataclasses.replace(config.training, precision=precision))
        if remark:
            report(remark)
        return _train(config, location, folder, fabric, report, quiet)


def with_more_steps(config: TrainingConfig, steps: int | None, semi_steps: int | None, done: int) -> TrainingConfig:
    """Return the configuration of a resumed run with other numbers of steps.

    From its next step on, the learning rate is that of a run which was started with these numbers: the cosine is
    stretched to the new length, so that after the end of a run it rises again before it falls.

    Parameters
    ----------
    config : TrainingConfig
    steps, semi_steps : int, optional
        Steps of the supervised and of the semi-supervised training; by default unchanged.
    done : int
        Steps done so far.

    Raises
    ------
    UsageError
        So many steps are done already, that part of the training is over, or the run has no such part.
    """
    before = config.training.steps
    if steps is not None and steps != before and config.adversarial.steps and done >= before:
        raise UsageError(
            f"the supervised training is over after {before} steps", hint="only semi-supervised steps can be added"
        )
    if semi_steps is not None and not config.adversarial.steps:
        raise UsageError(
            "the run has no semi-supervised steps, which need data of their own", hint="start a new run for them"
        )
    extended = dataclasses.replace(
        config,
        training=dataclasses.replace(config.training, steps=before if steps is None else steps),
        adversarial=dataclasses.replace(
            config.adversarial, steps=config.adversarial.steps if semi_steps is None else semi_steps
        ),
    )
    if extended.steps <= done or (steps is not None and steps < min(done, before)):
        raise UsageError(f"the run has done {done} of {config.steps} steps", hint="give more steps than it has done")
    return extended


def _train(
    config: TrainingConfig,
    location: RunLocation,
    folder: RunFolder,
    fabric: Fabric,
    report: Callable[[str], None],
    quiet: bool,
) -> FinishedRun:
    if config.training.batch_size % fabric.world_size:
        raise UsageError(
            f"batch size {config.training.batch_size} cannot be divided evenly over {fabric.world_size} processes",
            hint="choose a multiple of their number",
        )
    losses.parse(config.training.loss)
    torch.manual_seed(config.training.seed)
    network = build(config.model.architecture, config.model.network)
    initial_model = (
        None if location.resume or location.init is None else _load_initial(network, config, location.init, report)
    )

    unusable: list[str] = []
    cache = Cache(location.cache or location.out.parent / CACHE)
    with _shared_errors(fabric):
        # The first process fills the cache before the others use it.
        pools, validation, summary = gather(config, cache, unusable) if fabric.is_global_zero else (None, None, None)
    if pools is None or validation is None or summary is None:
        pools, validation, summary = gather(config, cache, [])
    if config.adversarial.steps and fabric.world_size > 1:
        raise UsageError("semi-supervised training runs in one process", hint="use one device, without torchrun")
    steps = _steps(config, pools)
    settled = dataclasses.replace(config.training, steps=steps, epochs=0.0)
    config = dataclasses.replace(config, training=settled)
    with _shared_errors(fabric):
        if fabric.is_global_zero and not location.resume:
            folder.write_config(config.to_dict())
            folder.write_data({**summary, "began_with": initial_model, "licence": location.licence})
    for line in unusable:
        report(f"left out: {line}")
    report(_first_line(summary, validation, network, fabric, steps, config))

    trainer = Trainer(fabric, config, folder, network, validation, _card_function(folder, config, location))
    if location.resume and folder.last.exists():
        trainer.resume()
        report(f"going on from step {trainer.progress.step}")
    if (location.steps, location.semi_steps) != (None, None):
        # Validations without improvement were counted for the shorter run.
        trainer.progress.worse = 0
        step = min(trainer.progress.step, config.steps - 1)
        report(
            f"up to step {config.steps}: the learning rate follows the schedule of a run of that length, "
            f"{learning_rate(config, step):.3g} at first, {learning_rate(config, config.steps - 1):.3g} at the end"
        )
        with _shared_errors(fabric):
            if fabric.is_global_zero:
                folder.write_config(config.to_dict())
    return FinishedRun(folder, _run(trainer, pools, location, quiet), tuple(unusable), fabric.is_global_zero)


def _run(trainer: Trainer, pools: Pools, location: RunLocation, quiet: bool) -> TrainResult:
    from tqdm import tqdm

    progress, steps = trainer.progress, trainer.config.steps
    if progress.step >= steps:
        return TrainResult(progress)
    hidden = quiet or not trainer.fabric.is_global_zero

    def report(line: str) -> None:
        if not hidden:
            tqdm.write(line, file=sys.stderr)

    # In a log file, a bar would be thousands of lines; the lines about validations are enough.
    off = hidden or not sys.stderr.isatty()
    with Bar(total=steps, initial=progress.step, unit="step", disable=off, dynamic_ncols=True) as bar:
        return trainer.run(pools, location.workers, bar, report)


def _fabric(location: RunLocation, precision: str) -> tuple[Fabric, str, str]:
    """Return a launched Fabric, the precision that ``auto`` stands for, and a remark for the user or nothing."""
    from lightning_fabric import Fabric

    # Our own first line says what it would log about precision and devices.
    for name in ("lightning_fabric", "lightning.fabric", "lightning_utilities"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning_fabric")
    chosen, remark = choose_device(location.device)
    device = chosen.type
    # torchrun has started this process as one of several.
    local = int(os.environ.get("LOCAL_WORLD_SIZE", location.devices))
    world = int(os.environ.get("WORLD_SIZE", local))
    if device == "cuda" and local > torch.cuda.device_count():
        raise UsageError(f"there are {torch.cuda.device_count()} GPUs, not {local}; ask for as many or fewer")
    if precision == "auto":
        precision = "bfloat16" if _supports_bfloat16(device) else "float32"
    fabric = Fabric(
        accelerator=device,
        devices=local,
        num_nodes=max(1, world // local),
        strategy="ddp" if max(world, local) > 1 else "auto",
        precision=FABRIC_PRECISIONS[precision],  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric, precision, remark


def _supports_bfloat16(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    if device == "cpu":
        # Without these instructions the CPU emulates bfloat16, slowly.
        cpuinfo = pathlib.Path("/proc/cpuinfo")
        flags = cpuinfo.read_text("utf-8", "replace") if cpuinfo.exists() else ""
        return "avx512_bf16" in flags or "amx_bf16" in flags
    return False


class _shared_errors:
    """A context in which an error of the first process is raised in all of them, so that none waits without end."""

    def __init__(self, fabric: Fabric):
        self.fabric = fabric

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, *_: object) -> None:
        if self.fabric.world_size == 1:
            return
        known = error if isinstance(error, VocalsepError) else None
        first: VocalsepError | None = self.fabric.broadcast(known)
        if self.fabric.global_rank and first is not None:
            raise first


def _load_initial(network: Network, config: TrainingConfig, init: str, report: Callable[[str], None]) -> dict[str, Any]:
    """Copy all weights of a model that fit; other layers keep their random initialisation."""
    path = registry.find(init)
    source, info = load(path)
    if info.config.front_end != config.model.front_end:
        raise UsageError(
            f"{init} works on another STFT ({info.config.front_end}) than the run",
            hint="set [model.front_end] to the same",
        )
    available, wanted = source.state_dict(), network.state_dict()
    fitting = {
        name: tensor for name, tensor in available.items() if name in wanted and wanted[name].shape == tensor.shape
    }
    if not fitting:
        raise ModelError(
            f"{init} has no weights that fit the architecture {config.model.architecture!r}",
            hint="choose another model",
        )
    network.load_state_dict({**wanted, **fitting})
    missing = len(wanted) - len(fitting)
    report(f"beginning with {init}" + (f"; {missing} of {len(wanted)} tensors are new" if missing else ""))
    return {"model": path.name, "sha256": registry.checksum(path), "card": _card_of(info)}


def _card_of(info: ModelInfo) -> dict[str, Any]:
    return {name: info.card[name] for name in ("licence", "trained_on") if name in info.card}


def _steps(config: TrainingConfig, pools: Pools) -> int:
    if not config.training.epochs:
        return config.training.steps
    seconds = config.training.batch_size * config.example_samples / config.model.front_end.sample_rate
    return max(1, round(config.training.epochs * pools.seconds / seconds))


def _card_function(
    folder: RunFolder, config: TrainingConfig, location: RunLocation
) -> Callable[[Progress, Scores], dict[str, Any]]:
    def card(progress: Progress, scores: Scores) -> dict[str, Any]:
        data = json.loads(folder.data.read_text("utf-8"))
        sets = ", ".join(
            f"{entry['set']} ({len(entry['items'])} items, {entry['hours']:.2f} h)" for entry in data["train"]
        )
        return {
            "licence": data["licence"],
            "trained_on": sets,
            "began_with": data["began_with"],
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


def _first_line(
    summary: dict[str, Any],
    validation: Validation,
    network: Network,
    fabric: Fabric,
    steps: int,
    config: TrainingConfig,
) -> str:
    sets = "; ".join(f"{e['kind']} {e['set']}: {len(e['items'])} items, {e['hours']:.2f} h" for e in summary["train"])
    same = " (the training songs themselves: scores show what was memorized)" if "valid_is_train" in summary else ""
    parameters = sum(parameter.numel() for parameter in network.parameters())
    more = f", then {config.adversarial.steps} semi-supervised ones," if config.adversarial.steps else ""
    return (
        f"{config.model.architecture}, {parameters / 1e6:.2f} M parameters; {sets}; validation on {validation.count} "
        f"excerpts{same}; {steps} steps{more} of {config.training.batch_size} on {fabric.world_size} "
        f"{fabric.device.type} process{'es' if fabric.world_size > 1 else ''}, {config.training.precision}"
    )


def _silent(_: str) -> None:
    pass
