"""The learning rate of each step of a run."""

from __future__ import annotations

import math

from .config import TrainingConfig


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Return the learning rate of a step: a linear rise, then half a cosine down to ``final_lr * lr``.

    In semi-supervised training it is constant.
    """
    settings = config.training
    if step >= settings.steps:
        return config.adversarial.lr
    if step < settings.warmup:
        return settings.lr * (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return settings.lr * (settings.final_lr + (1 - settings.final_lr) * 0.5 * (1 + math.cos(math.pi * done)))
