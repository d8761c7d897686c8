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

    def masks_between(self, magnitude: Tensor, start: int, stop: int) -> Tensor:
        """Return the masks of the frames from `start` to before `stop`, (batch, channels, bins, stop - start).

        The frames around them are heard only. A network may leave out work that these masks do not need.
        """
        masks: Tensor = self(magnitude)
        return masks[..., start:stop]
