"""Estimates of a network for a batch, in one interface for masks and waveforms, as losses use it."""

from __future__ import annotations

import abc
import dataclasses

import torch
from torch import Tensor

from ..dsp.front_end import FrontEndConfig
from ..dsp.stft import samples_inside
from ..inference.mask_stream import TOP_SHARE
from ..networks.level import EPSILON


@dataclasses.dataclass(frozen=True)
class Estimate(abc.ABC):
    """A batch, and the network's estimate for one source.

    Parameters
    ----------
    mixture, vocals : Tensor (batch, channels, all_bins, frames), complex
        `vocals` is the reference; for the second source of a network, it is the accompaniment.
    level : Tensor (batch, 1, 1, frames)
        The mixture's local level, by which spectra are normalised.
    valid : Tensor (batch, 1, bins, 1)
        1 up to the frequency up to which the vocals are known, 0 above.
    front_end : FrontEndConfig
    """

    mixture: Tensor
    vocals: Tensor
    level: Tensor
    valid: Tensor
    front_end: FrontEndConfig

    @property
    def target(self) -> Tensor:
        """The reference in the network's band, normalised by the level, (batch, channels, bins, frames), complex."""
        return self.vocals[:, :, : self.front_end.bins] / self.level

    @property
    @abc.abstractmethod
    def estimate(self) -> Tensor:
        """The estimate within the network's band, not normalised, (batch, channels, bins, frames), complex."""

    @property
    @abc.abstractmethod
    def magnitude(self) -> Tensor:
        """The magnitude of the estimate, normalised by the level, (batch, channels, bins, frames)."""

    @abc.abstractmethod
    def whole_estimate(self) -> Tensor:
        """Return the estimate in all bins, not normalised, (batch, channels, all_bins, frames), complex."""

    def waveforms(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return estimated vocals, true vocals and mixture (batch, channels, samples), each example at level 1."""
        valid = extend_mask(self.valid, self.front_end.all_bins)
        spectra = (self.whole_estimate() * valid, self.vocals * valid, self.mixture * valid)
        estimate, vocals, mixture = (samples_inside(spectrum, self.front_end) for spectrum in spectra)
        level = mixture.square().mean(dim=(1, 2), keepdim=True).sqrt() + EPSILON
        return estimate / level, vocals / level, mixture / level


@dataclasses.dataclass(frozen=True)
class MaskEstimate(Estimate):
    """An estimate by a mask.

    Parameters
    ----------
    mixture, vocals, level, valid, front_end
        See `Estimate`.
    mask : Tensor (batch, channels, bins, frames)
    """

    mask: Tensor

    @property
    def estimate(self) -> Tensor:
        """Mask times mixture."""
        return self.mask * self.mixture[:, :, : self.front_end.bins]

    @property
    def magnitude(self) -> Tensor:
        """Mask times the mixture's magnitude."""
        return self.mask * (self.mixture[:, :, : self.front_end.bins] / self.level).abs()

    def whole_estimate(self) -> Tensor:
        """Return mask times mixture in all bins."""
        return self.mixture * extend_mask(self.mask, self.front_end.all_bins)


@dataclasses.dataclass(frozen=True)
class WaveEstimate(Estimate):
    """An estimate by a waveform network.

    Parameters
    ----------
    mixture, vocals, level, valid, front_end
        See `Estimate`.
    spectrum : Tensor (batch, channels, all_bins, frames), complex
        Spectrum of the estimated waveform.
    """

    spectrum: Tensor

    @property
    def estimate(self) -> Tensor:
        """The estimate's spectrum in the band."""
        return self.spectrum[:, :, : self.front_end.bins]

    @property
    def magnitude(self) -> Tensor:
        """The magnitude of the estimate, with a finite gradient at silence."""
        return torch.view_as_real(self.estimate / self.level).square().sum(-1).add(EPSILON).sqrt()

    def whole_estimate(self) -> Tensor:
        """Return the estimate's spectrum."""
        return self.spectrum


def extend_mask(mask: Tensor, all_bins: int) -> Tensor:
    """Continue a mask (..., bins, frames) above the model's band as `inference.mask_stream.apply_mask` does."""
    bins = mask.shape[-2]
    if bins == all_bins:
        return mask
    top = mask[..., -max(1, bins // TOP_SHARE) :, :].mean(dim=-2, keepdim=True)
    return torch.cat([mask, top.expand(*mask.shape[:-2], all_bins - bins, -1)], dim=-2)
