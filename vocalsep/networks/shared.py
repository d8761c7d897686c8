"""Layers whose result does not depend on how a batch is distributed over processes.

Training in two processes with batches of 8 equals training in one with batches of 16. In one process the layers are
bit-identical to PyTorch's.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


class _Sum(torch.autograd.Function):
    """Sum over all processes; the gradient of each summand is the sum of all processes' gradients."""

    @staticmethod
    def forward(context: Any, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def processes() -> tuple[int, int]:
    """Return the rank of this process and the number of processes, (0, 1) without distributed training."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


class BatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation over the batches of all processes.

    PyTorch's own SyncBatchNorm refuses to work on CPUs.
    """

    def forward(self, hidden: Tensor) -> Tensor:
        """Normalise (batch, channels, bins, frames)."""
        world = processes()[1]
        if not self.training or world == 1:
            return super().forward(hidden)
        count = world * hidden.numel() // hidden.shape[1]
        wide = hidden.double() if hidden.dtype == torch.float64 else hidden.float()
        mean = _Sum.apply(wide.sum(dim=(0, 2, 3))) / count
        centred = wide - mean[:, None, None]
        variance = _Sum.apply(centred.square().sum(dim=(0, 2, 3))) / count
        if self.track_running_stats and self.momentum is not None:
            with torch.no_grad():
                self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)  # type: ignore[union-attr]
                unbiased = (variance * count / (count - 1)).to(self.running_var.dtype)  # type: ignore[union-attr]
                self.running_var.lerp_(unbiased, self.momentum)  # type: ignore[union-attr]
                self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(hidden.dtype)


class Dropout(nn.Module):
    """Dropout whose pattern depends on an example's index in the whole batch, not on its process.

    Parameters
    ----------
    probability : float
        Probability that a value is dropped.
    whole_maps : bool
        Drop whole channels (Tompson et al., CVPR 2015) instead of single values.
    """

    def __init__(self, probability: float, whole_maps: bool):
        super().__init__()
        self.probability = probability
        self.whole_maps = whole_maps

    def forward(self, hidden: Tensor) -> Tensor:
        """Drop parts of (batch, channels, bins, frames) and scale up the rest."""
        if not self.training or self.probability == 0:
            return hidden
        rank, world = processes()
        batch = hidden.shape[0]
        shape = (hidden.shape[1], 1, 1) if self.whole_maps else hidden.shape[1:]
        drawn = torch.rand(world * batch, *shape, device=hidden.device)[rank * batch : (rank + 1) * batch]
        return hidden * ((drawn >= self.probability).to(hidden.dtype) / (1 - self.probability))
