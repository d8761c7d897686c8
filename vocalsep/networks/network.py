"""What every mask estimator is."""

from __future__ import annotations

from torch import Tensor, nn

from .configs import NetworkConfig


class MaskNetwork(nn.Module):
    """Estimates the vocals' share of each bin of a mixture.

    Attributes
    ----------
    config : NetworkConfig
        What it was built from.
    """

    config: NetworkConfig

    def forward(self, magnitude: Tensor) -> Tensor:
        """Return masks in 0..1 of the shape of `magnitude`, (batch, channels, bins, frames).

        Bins and frames are multiples of ``config.stride``.
        """
        raise NotImplementedError
