"""A few steps of a run, to see how fast it would go."""

from __future__ import annotations

import dataclasses
import shutil

from ..errors import UsageError
from .config import TrainingConfig
from .loop import TrainResult
from .run import Place, train


def trial(config: TrainingConfig, place: Place, steps: int) -> TrainResult:
    """Train for a few steps in a folder beside the run's own, which is removed again.

    The first step pays for the workers' start; `TrainResult.steps_per_second` and `TrainResult.data_wait` leave it out.

    Parameters
    ----------
    config : TrainingConfig
    place : Place
        Where the run itself would be.
    steps : int

    Raises
    ------
    UsageError
        A signal stopped it.
    """
    beside = dataclasses.replace(place, out=place.out.with_name(f".trial-{place.out.name}"), resume=False)
    shutil.rmtree(beside.out, ignore_errors=True)
    short = dataclasses.replace(config.training, steps=steps, epochs=0.0, validate_every=10 * steps)
    less = dataclasses.replace(config.data, valid_songs=1, valid_seconds=1.0)
    alone = dataclasses.replace(config.adversarial, steps=0)
    try:
        tried = dataclasses.replace(config, training=short, data=less, adversarial=alone)
        outcome = train(tried, beside, lambda _: None, quiet=True).outcome
    finally:
        shutil.rmtree(beside.out, ignore_errors=True)
    if outcome.why != "done":
        raise UsageError("stopped before the trial was over; the same command begins it again")
    return outcome
