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
from .signals import Signals
from .validation import Scores, Validation

if TYPE_CHECKING:
    from lightning_fabric import Fabric

LOG_EVERY = 50
# Examples from which the batch norms of the averaged weights get their statistics.
STATISTICS_EXAMPLES = 40
Drawn = tuple[Batch, UnpairedBatch | None]
# A handful of unreadable excerpts says nothing about the data as a whole.
FEWEST_TRIES = 200


@dataclasses.dataclass
class TrainResult:
    """How a run ended.

    Parameters
    ----------
    progress : state.Progress
    scores : Scores or None
        Of the last validation.
    data_wait : float
        Share of this session's time that was spent waiting for data.
    steps_per_second : float
        In this session, validations aside.
    why : str
        ``done``, ``early`` (nothing better for long) or ``stopped`` (a signal).
    """

    progress: state.Progress
    scores: Scores | None = None
    data_wait: float = 0.0
    steps_per_second: float = 0.0
    why: str = "done"


class Trainer:
    """One process's part of a run.

    Parameters
    ----------
    fabric : lightning_fabric.Fabric
        Devices, precision and the other processes.
    config : TrainingConfig
    folder : RunFolder
    network : Network
        On the CPU, with the weights to begin with.
    validation : Validation
    card : callable
        What the exported model says of itself, from the progress and the scores.
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
        self.dtype = torch.float64 if config.training.precision == "64-true" else torch.float32
        network = network.to(self.dtype)
        self.network = network.to(fabric.device).to_channels_last()
        self.average: Network = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=config.training.lr, weight_decay=config.training.weight_decay
        )
        self.adversary: Adversary | None = None
        if config.adversarial.steps:
            # Its random beginning is its own: the supervised part does not depend on it.
            torch.manual_seed(config.training.seed + 1)
            front_end, channels = config.model.front_end, config.model.network.channels
            self.adversary = Adversary(config.adversarial, front_end, channels, fabric.device)
        self.progress = state.Progress()
        self.logged: list[Tensor] = []
        self.stop = False

    def resume(self) -> None:
        """Go on from the folder's checkpoint; raises ModelError if it does not fit."""
        self.progress = state.load(self.folder.last, self._state())
        self.logged = list(torch.tensor(self.progress.losses, device=self.fabric.device))

    def run(self, pools: Pools, workers: int, bar: Any, tell: Callable[[str], None]) -> TrainResult:
        """Train to the end, or until a signal asks to stop.

        Parameters
        ----------
        pools : Pools
        workers : int
        bar : tqdm.tqdm
            Progress bar, already at the current step.
        tell : callable
            Given a line about each validation.

        Raises
        ------
        AudioError
            Too much of the data cannot be read; the checkpoint is written first.
        OutputError
            The folder cannot be written; the last checkpoint stays.
        """
        fabric, settings, progress = self.fabric, self.config.training, self.progress
        wrapped, optimizer = fabric.setup(self.network, self.optimizer)
        run_log = RunLog(self.folder, progress.step) if fabric.is_global_zero else None
        ended = TrainResult(progress)
        clock = Clock(progress.seconds)
        stream = self._stream(pools, workers)
        saved = time.monotonic()
        with Signals(self._stop_asked):
            try:
                for batch, unpaired in clock.waiting(stream):
                    self._train_mode()
                    # Dropout is the only chance in a step: it depends on the seed and the step alone.
                    torch.manual_seed(settings.seed * 1_000_003 + progress.step)
                    rate = learning_rate(self.config, progress.step)
                    for group in self.optimizer.param_groups:
                        group["lr"] = rate
                    loss = self._loss(wrapped, batch)
                    if self.adversary is not None and unpaired is not None:
                        loss = loss + self.adversary.term(unpaired.to(fabric.device), self._separate(wrapped))
                        progress.count(unpaired.tries, unpaired.faults)
                    optimizer.zero_grad()
                    fabric.backward(loss)
                    norm = fabric.clip_gradients(
                        wrapped, optimizer, max_norm=settings.clip or math.inf, error_if_nonfinite=False
                    )
                    optimizer.step()
                    progress.step += 1
                    self._follow(progress.step)
                    progress.count(batch.tries, batch.faults)
                    progress.seconds = clock.total()
                    self.logged.append(loss.detach())
                    bar.update()

                    row: dict[str, Any] = {}
                    ends = progress.step in (settings.steps, self.config.steps)
                    if progress.step % settings.validate_every == 0 or ends:
                        with clock.paused():
                            ended.scores = self._validate(pools)
                        row |= {
                            "vocals_usdr_db": ended.scores.vocals,
                            "accompaniment_usdr_db": ended.scores.accompaniment,
                        }
                    if row or progress.step % LOG_EVERY == 0:
                        row |= self._train_row(rate, norm, clock)
                        self.logged.clear()
                        if run_log is not None:
                            run_log.write(row)
                        bar.set_postfix(loss=f"{row['loss']:.4f}", wait=f"{row['data_wait']:.1%}")
                    early = self._agreed(self.stop or self._too_faulty() or self._converged())
                    due = time.monotonic() - saved > settings.checkpoint_minutes * 60
                    if ended.scores is not None and "vocals_usdr_db" in row and run_log is not None:
                        run_log.draw()
                        tell(_line(progress.step, row, ended.scores))
                    if self.adversary is not None and progress.step == settings.steps:
                        self._end_supervised()
                    if early or due or "vocals_usdr_db" in row:
                        saved = time.monotonic()
                        self._save()
                    if early:
                        break
            finally:
                stream.close()
                if run_log is not None:
                    run_log.close()
        if self._too_faulty():
            raise AudioError(
                f"{progress.faults} of {progress.tries} excerpts are unreadable, such as "
                f"{next(iter(progress.faulty))}; mend or exclude them and go on with --resume"
            )
        ended.why = "stopped" if self.stop else "early" if progress.step < self.config.steps else "done"
        ended.data_wait, ended.steps_per_second = clock.wait_share(), clock.rate()
        return ended

    def _stop_asked(self) -> bool:
        """Ask for the end after the current step; return whether that had been asked for before."""
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
        found = self._outcomes(wrapped, vocals.to(self.dtype), mixture.to(self.dtype), band)
        return torch.stack([self.loss(outcome) for outcome in found]).mean()

    def _separate(self, wrapped: Any) -> Callable[[Tensor], list[Estimate]]:
        """Return what runs the network on mixtures of which nothing else is known."""

        def separate(mixture: Tensor) -> list[Estimate]:
            band = torch.full((mixture.shape[0],), math.inf, device=mixture.device)
            return self._outcomes(wrapped, torch.zeros_like(mixture), mixture, band)

        return separate

    def _outcomes(self, wrapped: Any, vocals: Tensor, mixture: Tensor, band: Tensor) -> list[Estimate]:
        front_end, frames = self.config.model.front_end, self.config.data.frames
        return estimates(self.network, wrapped, vocals, mixture, band, front_end, frames)

    def _stream(self, pools: Pools, workers: int) -> Generator[Drawn, None, None]:
        """Yield a batch for each step that remains, after the supervised ones with an unpaired one beside it."""
        fabric, done = self.fabric, self.progress.step
        paired = batches(pools, self.config, done, fabric.global_rank, fabric.world_size, workers, _on_gpu(fabric))
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
        """Keep the supervised model, and begin to look for the best semi-supervised one."""
        progress = self.progress
        progress.supervised, progress.supervised_step = progress.best, progress.best_step
        progress.best, progress.worse = None, 0
        if self.fabric.is_global_zero:
            shutil.copyfile(self.folder.model, self.folder.supervised)

    @torch.no_grad()
    def _follow(self, step: int) -> None:
        """Move the average towards the weights; early on it follows faster, so that it forgets the start."""
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
        """Return the averaged network with batch norm statistics of its own, as it is validated and exported."""
        network = copy.deepcopy(self.average)
        if self.config.training.freeze_norms or not has_statistics(network):
            return network
        fabric = self.fabric
        mixtures = first_mixtures(pools, self.config, STATISTICS_EXAMPLES, fabric.global_rank, fabric.world_size)

        def run(network: Network, mixture: Tensor) -> object:
            # The band only matters to losses.
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

    def _train_row(self, rate: float, norm: Tensor | None, clock: Clock) -> dict[str, Any]:
        loss = self._shared(torch.stack(self.logged).mean()) / self.fabric.world_size
        return {
            "step": self.progress.step,
            "examples": self.progress.step * self.config.training.batch_size,
            "seconds": self.progress.seconds,
            "lr": rate,
            "loss": float(loss),
            "gradient_norm": math.nan if norm is None else float(norm),
            "data_wait": clock.wait_share(),
            "faults": self.progress.faults,
        }

    def _converged(self) -> bool:
        # Supervised training that others follow is not cut short: they would begin at another step.
        last = self.adversary is None or self.progress.step >= self.config.training.steps
        return last and 0 < self.config.training.patience <= self.progress.worse

    def _too_faulty(self) -> bool:
        tries, faults = self.progress.tries, self.progress.faults
        return tries >= FEWEST_TRIES and faults > self.config.training.most_faulty * tries

    def _agreed(self, flag: bool) -> bool:
        """Return whether any process says so: all have to leave the loop at the same step."""
        return bool(self._shared(torch.tensor(float(flag), device=self.fabric.device)))

    def _shared(self, value: Tensor) -> Tensor:
        """Return the sum over all processes."""
        if self.fabric.world_size > 1:
            torch.distributed.all_reduce(value)
        return value


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Return the learning rate of a step: a linear rise, then half a cosine down to ``final_lr * lr``.

    Semi-supervised training has one of its own.
    """
    settings = config.training
    if step >= settings.steps:
        return config.adversarial.lr
    if step < settings.warmup:
        return settings.lr * (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return settings.lr * (settings.final_lr + (1 - settings.final_lr) * 0.5 * (1 + math.cos(math.pi * done)))


def _line(step: int, row: Mapping[str, Any], scores: Scores) -> str:
    return (
        f"step {step}: loss {row['loss']:.4f}; validation uSDR {scores.vocals:.2f} dB vocals, "
        f"{scores.accompaniment:.2f} dB accompaniment (mixture as vocals: {scores.mixture:.2f} dB)"
    )


def _on_gpu(fabric: Fabric) -> bool:
    return bool(fabric.device.type == "cuda")
