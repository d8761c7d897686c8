"""Choose the number of training steps that fit into a given time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

from ..training.config import TrainingConfig
from ..training.run import RunLocation
from ..training.trial import trial

TRIAL_STEPS = 7
VALIDATIONS = 4


def fit_budget(
    config: TrainingConfig, minutes: float, place: RunLocation, log: Callable[[str], None]
) -> TrainingConfig:
    """Return a configuration with as many steps as a short trial says fit into some minutes of training.

    The steps are fixed by it once and for all, so that the run can be stopped and resumed like any other.

    Parameters
    ----------
    config : TrainingConfig
    minutes : float
    place : RunLocation
        Where the run itself will be; the trial is beside it and is removed.
    log : callable

    Raises
    ------
    UsageError
        The trial did not come to its end.
    """
    outcome = trial(config, place, TRIAL_STEPS)
    steps = max(1, math.floor(outcome.steps_per_second * 60 * minutes))
    log(f"{outcome.steps_per_second:.2f} steps a second: {steps} steps in {minutes:g} minutes")
    return with_steps(config, steps)


def with_steps(config: TrainingConfig, steps: int) -> TrainingConfig:
    """Return a configuration of that many steps, validated a few times on its way, its warm-up a tenth at most."""
    training = dataclasses.replace(
        config.training,
        steps=steps,
        epochs=0.0,
        warmup=min(config.training.warmup, steps // 10),
        validate_every=max(1, -(-steps // VALIDATIONS)),
    )
    return dataclasses.replace(config, training=training)
