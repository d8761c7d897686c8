"""Base classes of all networks: what they take and what they return."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Network(nn.Module):
    """An estimator of the vocals in a mixture.

    Attributes
    ----------
    config : NetworkConfig
        The configuration that the network was built from.
    sources : int
        1 if the network estimates the vocals alone, 2 if it estimates the accompaniment too.
    layout : torch.memory_format
        Memory format in which its convolutions run fastest.
    """

    config: Any
    sources: int = 1
    layout: torch.memory_format = torch.channels_last

    def to_channels_last(self) -> Network:
        """Convert the weights to the memory format in which they run fastest, and return the network."""
        return self.to(memory_format=self.layout)  # type: ignore[call-overload]


class MaskNetwork(Network):
    """Estimates masks: the vocals' share of each time-frequency bin of a mixture."""

    def network_input(self, spectrum: Tensor, bins: int) -> Tensor:
        """Return the network's input for a mixture: by default its magnitudes, (batch, channels, bins, frames).

        Parameters
        ----------
        spectrum : Tensor (batch, channels, all_bins, frames), complex
        bins : int
            Number of bins, from 0 Hz up, that masks are estimated for.
        """
        return spectrum[:, :, :bins].abs()

    @property
    def takes_magnitudes(self) -> bool:
        """Whether `network_input` returns the magnitudes of the channels and nothing else."""
        return type(self).network_input is MaskNetwork.network_input

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the masks for what `network_input` returned.

        Parameters
        ----------
        inputs : Tensor
            Its bins and frames are multiples of ``config.stride``.

        Returns
        -------
        Tensor (batch, sources * channels, bins, frames)
            The vocals' masks come first. Values lie in 0..1, except while a network with a magnitude head is trained.
        """
        raise NotImplementedError

    def masks_between(self, inputs: Tensor, start: int, stop: int) -> Tensor:
        """Return the vocals' masks of the frames from `start` up to `stop`, (batch, channels, bins, stop - start).

        The other frames serve as context. A network may skip computations that these masks do not need.
        """
        masks: Tensor = self(inputs)
        return masks[:, : self.config.channels, :, start:stop]


class WaveNetwork(Network):
    """Estimates the vocals' samples from the mixture's.

    Its configuration has ``tile``, the number of samples estimated at a time; ``input_samples``, the number of input
    samples they need; and ``context_samples``, the number of input samples before and after the estimates.
    """

    def forward(self, mixture: Tensor) -> Tensor:
        """Return estimates (batch, sources * channels, samples), the vocals first, for a mixture.

        Parameters
        ----------
        mixture : Tensor (batch, channels, samples)
            Including the context: the estimates are of the middle of the mixture.
        """
        raise NotImplementedError


def middle(signal: Tensor, samples: int) -> Tensor:
    """Return the middle `samples` of a signal (..., samples), which a `WaveNetwork` estimates."""
    start = (signal.shape[-1] - samples) // 2
    return signal[..., start : start + samples]
