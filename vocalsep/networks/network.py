"""What every network is, and what goes in and out of it."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from .configs import NetworkConfig


class Network(nn.Module):
    """An estimator of the vocals in a mixture.

    Attributes
    ----------
    config : NetworkConfig
        What it was built from.
    sources : int
        1 where it estimates the vocals alone, 2 where it estimates the accompaniment too.
    layout : torch.memory_format
        In which its convolutions run fastest.
    """

    Config: ClassVar[type[Any]] = NetworkConfig
    config: Any
    sources: int = 1
    layout: torch.memory_format = torch.channels_last

    def to_channels_last(self) -> Network:
        """Bring the weights into the layout in which they run fastest, and return the network."""
        return self.to(memory_format=self.layout)  # type: ignore[call-overload]


class MaskNetwork(Network):
    """Estimates the vocals' share of each bin of a mixture."""

    def hear(self, spectrum: Tensor, bins: int) -> Tensor:
        """Return what the network takes of a mixture: by default its magnitudes, (batch, channels, bins, frames).

        Parameters
        ----------
        spectrum : Tensor (batch, channels, all_bins, frames), complex
        bins : int
            How many bins, from 0 Hz up, there are to be masks for.
        """
        return spectrum[:, :, :bins].abs()

    @property
    def takes_magnitudes(self) -> bool:
        """Whether `hear` gives plain magnitudes."""
        return type(self).hear is MaskNetwork.hear

    def forward(self, heard: Tensor) -> Tensor:
        """Return masks, (batch, sources * channels, bins, frames), the vocals' first, of what `hear` gave.

        Bins and frames are multiples of ``config.stride``. Masks lie in 0..1, but for those of a network that
        estimates magnitudes while it is trained.
        """
        raise NotImplementedError

    def masks_between(self, heard: Tensor, start: int, stop: int) -> Tensor:
        """Return the vocals' masks of the frames from `start` to before `stop`, (batch, channels, bins, stop - start).

        The frames around them are heard only. A network may leave out work that these masks do not need.
        """
        masks: Tensor = self(heard)
        return masks[:, : self.config.channels, :, start:stop]


class WaveNetwork(Network):
    """Estimates the vocals' samples from the mixture's.

    Its configuration has ``tile``, the samples that are estimated at a time, ``samples_heard``, and ``reach``, the
    samples to either side that are heard and not estimated.
    """

    def forward(self, mixture: Tensor) -> Tensor:
        """Return estimates (batch, sources * channels, samples), the vocals first, of a mixture.

        Parameters
        ----------
        mixture : Tensor (batch, channels, samples)
            With what the network hears around the estimates: their place is in its middle.
        """
        raise NotImplementedError


def middle(signal: Tensor, samples: int) -> Tensor:
    """Return the middle `samples` of a signal (..., samples): where a `WaveNetwork`'s estimates lie."""
    start = (signal.shape[-1] - samples) // 2
    return signal[..., start : start + samples]
