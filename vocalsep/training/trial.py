"""A few steps of a run, to measure its speed."""

from __future__ import annotations

import dataclasses
import shutil

from ..errors import UsageError
from .config import TrainingConfig
from .loop import TrainResult
from .run import RunLocation, train


def trial(config: TrainingConfig, location: RunLocation, steps: int) -> TrainResult:
    """Train for a few steps in a folder beside the run's own, which is removed afterwards.

    `TrainResult.steps_per_second` and `TrainResult.data_wait` leave out the first step, in which the workers start.

    Parameters
    ----------
    config : TrainingConfig
    location : RunLocation
        Location of the run itself.
    steps : int

    Raises
    ------
    UsageError
        A signal stopped the trial.
    """
    temporary = dataclasses.replace(location, out=location.out.with_name(f".trial-{location.out.name}"), resume=False)
    shutil.rmtree(temporary.out, ignore_errors=True)
    training = dataclasses.replace(config.training, steps=steps, epochs=0.0, validate_every=10 * steps)
    data = dataclasses.replace(config.data, valid_songs=1, valid_seconds=1.0)
    adversarial = dataclasses.replace(config.adversarial, steps=0)
    try:
        short = dataclasses.replace(config, training=training, data=data, adversarial=adversarial)
        result = train(short, temporary, lambda _: None, quiet=True).result
    finally:
        shutil.rmtree(temporary.out, ignore_errors=True)
    if result.status != "done":
        raise UsageError("stopped before the trial was over", hint="the same command starts it again")
    return result
