"""Measure batch norm statistics for averaged weights.

Running statistics are valid for the weights with which they were measured. Averaged weights need their own: P. Izmailov
et al.: "Averaging weights leads to wider optima and better generalization", UAI 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from ..networks.network import Network


def has_statistics(network: nn.Module) -> bool:
    """Return whether a network has batch norms with running statistics."""
    return any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@torch.no_grad()
def measure_statistics(network: Network, mixtures: Iterable[Tensor], run: Callable[[Network, Tensor], object]) -> None:
    """Replace the statistics of all batch norms by their mean over some batches, in place.

    Parameters
    ----------
    network : Network
        Left in evaluation mode.
    mixtures : iterable of Tensor (batch, channels, samples)
        In a run of several processes each gives its own share of every batch.
    run : callable
        Called with the network and a batch; runs the network on it.
    """
    norms = [module for module in network.eval().modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train()
    for count, mixture in enumerate(mixtures, 1):
        for norm in norms:
            # With 1, 1/2, 1/3, ... the running value is the mean of all.
            norm.momentum = 1 / count
        run(network, mixture)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()
