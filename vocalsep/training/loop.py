"""The training loop."""

from __future__ import annotations

import copy
import dataclasses
import math
import shutil
import time
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..datasets.pools import Pools
from ..errors import AudioError
from ..model_files import checkpoint
from ..networks.network import Network
from . import losses, state
from .adversarial import Adversary
from .clock import Clock
from .config import TrainingConfig
from .estimate import Estimate
from .folder import RunFolder
from .forward import estimates
from .loader import Batch, UnpairedBatch, batches, first_mixtures, unpaired_batches
from .norms import has_statistics, measure_statistics
from .run_log import RunLog
from .schedule import learning_rate
from .signals import StopSignals
from .validation import Scores, Validation

if TYPE_CHECKING:
    from lightning_fabric import Fabric

LOG_EVERY = 50
# Examples from which the batch norms of the averaged weights get their statistics.
STATISTICS_EXAMPLES = 40
# Fewer excerpts are no sample of the data as a whole.
FEWEST_TRIES = 200


@dataclasses.dataclass
class TrainResult:
    """The result of a run.

    Parameters
    ----------
    progress : state.Progress
    scores : Scores or None
        Of the last validation.
    data_wait : float
        Share of this session's time that was spent waiting for data.
    steps_per_second : float
        In this session, without validations.
    status : str
        ``done``, ``early`` (no improvement for long) or ``stopped`` (by a signal).
    """

    progress: state.Progress
    scores: Scores | None = None
    data_wait: float = 0.0
    steps_per_second: float = 0.0
    status: str = "done"


@dataclasses.dataclass
class _Session:
    """The objects that one call of `Trainer.run` works with.

    Parameters
    ----------
    network, optimizer : object
        As Fabric wraps them.
    clock : Clock
    log : RunLog or None
        None in all processes but the first.
    bar : tqdm.tqdm
    report : callable
    scores : Scores or None
        Of the last validation.
    saved : float
        Time of the last checkpoint, by `time.monotonic`.
    """

    network: Any
    optimizer: Any
    clock: Clock
    log: RunLog | None
    bar: Any
    report: Callable[[str], None]
    scores: Scores | None = None
    saved: float = dataclasses.field(default_factory=time.monotonic)


class Trainer:
    """Trains a network, as one process of a run.

    Parameters
    ----------
    fabric : lightning_fabric.Fabric
        Devices, precision and the other processes.
    config : TrainingConfig
    folder : RunFolder
    network : Network
        On the CPU, with its initial weights.
    validation : Validation
    card : callable
        Returns the card of the exported model, from the progress and the scores.
    """

    def __init__(
        self,
        fabric: Fabric,
        config: TrainingConfig,
        folder: RunFolder,
        network: Network,
        validation: Validation,
        card: Callable[[state.Progress, Scores], dict[str, Any]],
    ):
        self.fabric = fabric
        self.config = config
        self.folder = folder
        self.validation = validation
        self.card = card
        self.loss = losses.parse(config.training.loss)
        self.dtype = torch.float64 if config.training.precision == "float64" else torch.float32
        network = network.to(self.dtype)
        self.network = network.to(fabric.device).to_channels_last()
        self.average: Network = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=config.training.lr, weight_decay=config.training.weight_decay
        )
        self.adversary: Adversary | None = None
        if config.adversarial.steps:
            # With a seed of its own, so that the supervised training does not depend on it.
            torch.manual_seed(config.training.seed + 1)
            front_end, channels = config.model.front_end, config.model.network.channels
            self.adversary = Adversary(config.adversarial, front_end, channels, fabric.device)
        self.progress = state.Progress()
        self.logged: list[Tensor] = []
        self.stop = False

    def resume(self) -> None:
        """Continue from the folder's checkpoint; raises ModelError if it does not fit."""
        self.progress = state.load(self.folder.last, self._state())
        self.logged = list(torch.tensor(self.progress.losses, device=self.fabric.device))

    def run(self, pools: Pools, workers: int, bar: Any, report: Callable[[str], None]) -> TrainResult:
        """Train to the end, or until a signal asks to stop.

        Parameters
        ----------
        pools : Pools
        workers : int
        bar : tqdm.tqdm
            Progress bar, already at the current step.
        report : callable
            Called with a line about each validation.

        Raises
        ------
        AudioError
            Too much of the data cannot be read; the checkpoint is written first.
        OutputError
            The folder cannot be written; the last checkpoint is kept.
        """
        wrapped, optimizer = self.fabric.setup(self.network, self.optimizer)
        log = RunLog(self.folder, self.progress.step) if self.fabric.is_global_zero else None
        session = _Session(wrapped, optimizer, Clock(self.progress.seconds), log, bar, report)
        stream = self._stream(pools, workers)
        with StopSignals(self._request_stop):
            try:
                for batch, unpaired in session.clock.count_waits(stream):
                    norm = self._step(session, batch, unpaired)
                    validated = self._validate_if_due(session, pools)
                    self._log_if_due(session, norm, validated)
                    if self._save_if_due(session, validated):
                        break
                if log is not None:
                    log.finish()
            finally:
                stream.close()
                if log is not None:
                    log.close()
        return self._result(session)

    def _step(self, session: _Session, batch: Batch, unpaired: UnpairedBatch | None) -> Tensor | None:
        """Train on the batch of one step; return the norm of the gradients."""
        settings, progress = self.config.training, self.progress
        self._train_mode()
        # In a step, only dropout is random: it depends on the seed and the step alone.
        torch.manual_seed(settings.seed * 1_000_003 + progress.step)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, progress.step)
        loss = self._loss(session.network, batch)
        if self.adversary is not None and unpaired is not None:
            loss = loss + self.adversary.loss_term(unpaired.to(self.fabric.device), self._separate(session.network))
            progress.count(unpaired.tries, unpaired.faults)
        session.optimizer.zero_grad()
        self.fabric.backward(loss)
        norm = self.fabric.clip_gradients(
            session.network, session.optimizer, max_norm=settings.clip or math.inf, error_if_nonfinite=False
        )
        session.optimizer.step()
        progress.step += 1
        self._update_average(progress.step)
        progress.count(batch.tries, batch.faults)
        progress.seconds = session.clock.total()
        self.logged.append(loss.detach())
        session.bar.update()
        return norm

    def _validate_if_due(self, session: _Session, pools: Pools) -> bool:
        """Validate at the configured interval and at the end of each phase; return whether that was now."""
        settings, step = self.config.training, self.progress.step
        if step % settings.validate_every and step not in (settings.steps, self.config.steps):
            return False
        with session.clock.paused():
            session.scores = self._validate(pools)
        return True

    def _log_if_due(self, session: _Session, norm: Tensor | None, validated: bool) -> None:
        """Log the losses since the last row, and the scores of a validation."""
        if not validated and self.progress.step % LOG_EVERY:
            return
        row = self._train_row(norm, session.clock)
        if validated and session.scores is not None:
            row |= {
                "vocals_usdr_db": session.scores.vocals,
                "accompaniment_usdr_db": session.scores.accompaniment,
            }
        self.logged.clear()
        session.bar.set_postfix(loss=f"{row['loss']:.4f}", wait=f"{row['data_wait']:.1%}")
        if session.log is None:
            return
        session.log.write(row)
        if validated and session.scores is not None:
            session.log.draw()
            session.report(_line(self.progress.step, row, session.scores))

    def _save_if_due(self, session: _Session, validated: bool) -> bool:
        """Write a checkpoint after a validation, after some time, or before the end; return whether to end early."""
        ends = self._agreed(self.stop or self._too_faulty() or self._converged())
        if self.adversary is not None and self.progress.step == self.config.training.steps:
            self._end_supervised()
        overdue = time.monotonic() - session.saved > self.config.training.checkpoint_minutes * 60
        if ends or overdue or validated:
            session.saved = time.monotonic()
            self._save()
        return ends

    def _result(self, session: _Session) -> TrainResult:
        progress = self.progress
        if self._too_faulty():
            raise AudioError(
                f"{progress.faults} of {progress.tries} excerpts are unreadable, such as {next(iter(progress.faulty))}",
                hint="repair or exclude them and resume the run",
            )
        return TrainResult(
            progress,
            session.scores,
            session.clock.wait_share(),
            session.clock.rate(),
            "stopped" if self.stop else "early" if progress.step < self.config.steps else "done",
        )

    def _request_stop(self) -> bool:
        """Request the end after the current step; return whether it had been requested before."""
        before, self.stop = self.stop, True
        return before

    def _train_mode(self) -> None:
        self.network.train()
        if self.config.training.freeze_norms:
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()

    def _loss(self, wrapped: Any, batch: Batch) -> Tensor:
        """Return the loss of a batch, the mean over the sources that the network estimates."""
        vocals, mixture, band = (
            part.to(self.fabric.device, non_blocking=True) for part in (batch.vocals, batch.mixture, batch.band)
        )
        results = self._estimates(wrapped, vocals.to(self.dtype), mixture.to(self.dtype), band)
        return torch.stack([self.loss(result) for result in results]).mean()

    def _separate(self, wrapped: Any) -> Callable[[Tensor], list[Estimate]]:
        """Return a function that runs the network on mixtures without known sources."""

        def separate(mixture: Tensor) -> list[Estimate]:
            band = torch.full((mixture.shape[0],), math.inf, device=mixture.device)
            return self._estimates(wrapped, torch.zeros_like(mixture), mixture, band)

        return separate

    def _estimates(self, wrapped: Any, vocals: Tensor, mixture: Tensor, band: Tensor) -> list[Estimate]:
        front_end, frames = self.config.model.front_end, self.config.data.frames
        return estimates(self.network, wrapped, vocals, mixture, band, front_end, frames)

    def _stream(self, pools: Pools, workers: int) -> Generator[tuple[Batch, UnpairedBatch | None], None, None]:
        """Yield the batches of each remaining step: a paired one, and an unpaired one in semi-supervised training."""
        fabric, done = self.fabric, self.progress.step
        pin = fabric.device.type == "cuda"
        paired = batches(pools, self.config, done, fabric.global_rank, fabric.world_size, workers, pin)
        unpaired: Generator[UnpairedBatch, None, None] | None = None
        try:
            for step, batch in enumerate(paired, done):
                if step >= self.config.training.steps and unpaired is None:
                    unpaired = unpaired_batches(pools, self.config, step, workers)
                yield batch, None if unpaired is None else next(unpaired)
        finally:
            paired.close()
            if unpaired is not None:
                unpaired.close()

    def _end_supervised(self) -> None:
        """Keep the supervised model, and reset the best scores for the semi-supervised training."""
        progress = self.progress
        progress.supervised, progress.supervised_step = progress.best, progress.best_step
        progress.best, progress.worse = None, 0
        if self.fabric.is_global_zero:
            shutil.copyfile(self.folder.model, self.folder.supervised)

    @torch.no_grad()
    def _update_average(self, step: int) -> None:
        """Update the moving average of the weights; its decay is smaller in the first steps, to forget the start."""
        decay = min(self.config.training.ema, (1 + step) / (10 + step)) if self.config.training.ema else 0.0
        pairs = zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True)
        for slow, fast in pairs:
            if slow.is_floating_point():
                slow.lerp_(fast, 1 - decay)
            else:
                slow.copy_(fast)

    def _validate(self, pools: Pools) -> Scores:
        progress = self.progress
        exported = self._exported(pools)
        scores = self.validation.run(copy.deepcopy(exported), self.fabric.device)
        if progress.best is None or scores.vocals > progress.best:
            progress.best, progress.best_step, progress.worse = scores.vocals, progress.step, 0
            self._save(best=True)
            if self.fabric.is_global_zero:
                checkpoint.save(self.folder.model, exported, self.config.model, self.card(progress, scores))
        else:
            progress.worse += 1
        return scores

    def _exported(self, pools: Pools) -> Network:
        """Return the averaged network, with its own batch norm statistics, for validation and export."""
        network = copy.deepcopy(self.average)
        if self.config.training.freeze_norms or not has_statistics(network):
            return network
        fabric = self.fabric
        mixtures = first_mixtures(pools, self.config, STATISTICS_EXAMPLES, fabric.global_rank, fabric.world_size)

        def run(network: Network, mixture: Tensor) -> object:
            # Only losses use the band.
            band = torch.full((mixture.shape[0],), math.inf, device=mixture.device)
            front_end, frames = self.config.model.front_end, self.config.data.frames
            return estimates(network, network, torch.zeros_like(mixture), mixture, band, front_end, frames)

        measure_statistics(network, (mixture.to(fabric.device, self.dtype) for mixture in mixtures), run)
        return network

    def _save(self, best: bool = False) -> None:
        if self.fabric.is_global_zero:
            path = self.folder.best if best else self.folder.last
            self.progress.losses = [float(loss) for loss in self.logged]
            state.save(path, self._state(), self.progress)

    def _state(self) -> state.State:
        adversary = self.adversary
        return state.State(
            self.network,
            self.average,
            self.optimizer,
            None if adversary is None else adversary.critics,
            None if adversary is None else adversary.optimizer,
        )

    def _train_row(self, norm: Tensor | None, clock: Clock) -> dict[str, Any]:
        loss = self._sum(torch.stack(self.logged).mean()) / self.fabric.world_size
        return {
            "step": self.progress.step,
            "examples": self.progress.step * self.config.training.batch_size,
            "seconds": self.progress.seconds,
            "lr": learning_rate(self.config, self.progress.step - 1),
            "loss": float(loss),
            "gradient_norm": math.nan if norm is None else float(norm),
            "data_wait": clock.wait_share(),
            "faults": self.progress.faults,
        }

    def _converged(self) -> bool:
        # Before semi-supervised training, the supervised one never ends early, which would change its first step.
        last = self.adversary is None or self.progress.step >= self.config.training.steps
        return last and 0 < self.config.training.patience <= self.progress.worse

    def _too_faulty(self) -> bool:
        tries, faults = self.progress.tries, self.progress.faults
        return tries >= FEWEST_TRIES and faults > self.config.training.most_faulty * tries

    def _agreed(self, flag: bool) -> bool:
        """Return whether the flag is set in any process, so that all leave the loop at the same step."""
        return bool(self._sum(torch.tensor(float(flag), device=self.fabric.device)))

    def _sum(self, value: Tensor) -> Tensor:
        """Return the sum over all processes."""
        if self.fabric.world_size > 1:
            torch.distributed.all_reduce(value)
        return value


def _line(step: int, row: Mapping[str, Any], scores: Scores) -> str:
    return (
        f"step {step}: loss {row['loss']:.4f}; validation uSDR {scores.vocals:.2f} dB vocals, "
        f"{scores.accompaniment:.2f} dB accompaniment (mixture as vocals: {scores.mixture:.2f} dB)"
    )
