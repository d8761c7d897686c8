"""Semi-supervised training: estimates for unlabelled songs should be like real sources.

D. Stoller, S. Ewert, S. Dixon: "Adversarial Semi-Supervised Audio Source Separation applied to Singing Voice
Extraction", ICASSP 2018. A critic for each source learns to distinguish real sources, without a known mixture, from
estimates for unlabelled mixtures; it is a Wasserstein critic with a gradient penalty (Gulrajani et al., NeurIPS 2017).
The loss of the separator rewards high scores by the critics, and estimates that add up to the mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ..dsp.front_end import FrontEndConfig
from ..dsp.stft import frames_inside
from ..networks.critic import Critic
from ..networks.level import EPSILON
from .config import AdversarialConfig
from .estimate import Estimate
from .loader import UnpairedBatch

# Of the critics' Adam, as in Gulrajani et al.
BETAS = (0.0, 0.9)
# Estimates are normalised by no less than this share of their mixture's level.
QUIETEST = 0.05


class Adversary:
    """The critics of vocals and accompaniment, and their term in the separator's loss.

    Parameters
    ----------
    config : AdversarialConfig
    front_end : FrontEndConfig
    channels : int
        Audio channels.
    device : torch.device
    """

    def __init__(self, config: AdversarialConfig, front_end: FrontEndConfig, channels: int, device: torch.device):
        self.config = config
        self.front_end = front_end
        self.critics = nn.ModuleList(Critic(channels) for _ in range(2)).to(device)
        self.optimizer = torch.optim.Adam(self.critics.parameters(), lr=config.critic_lr, betas=BETAS)

    def loss_term(self, batch: UnpairedBatch, separate: Callable[[Tensor], Sequence[Estimate]]) -> Tensor:
        """Train the critics on a batch, and return the term to add to the separator's loss.

        Parameters
        ----------
        batch : UnpairedBatch
            Its examples are divided over the steps of the critics; the loss is computed from those of the last.
        separate : callable
            Runs the separator on mixtures (batch, channels, samples).
        """
        parts = [part.chunk(self.config.critic_steps) for part in (batch.mixture, batch.vocals, batch.accompaniment)]
        for mixture, vocals, accompaniment in zip(*parts, strict=True):
            with torch.no_grad():
                fakes = [fake.detach() for fake in self._estimates(separate(mixture))[0]]
            reals = [self._real(sound) for sound in (vocals, accompaniment)]
            self._train_critics(fakes, reals)
        fakes, mixture_magnitude, magnitudes = self._estimates(separate(parts[0][-1]))
        self.critics.requires_grad_(False)
        scores = sum(critic(fake).mean() for critic, fake in zip(self.critics, fakes, strict=True))
        self.critics.requires_grad_(True)
        missing = (mixture_magnitude - magnitudes[0] - magnitudes[1]).square().mean()
        return -self.config.weight * scores + self.config.additivity * missing

    def _estimates(self, estimates: Sequence[Estimate]) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        """Return both sources' magnitudes at level 1, and those of mixture and sources relative to the mixture."""
        vocals = estimates[0]
        mixture = vocals.mixture[:, :, : self.front_end.bins]
        other = (
            _magnitude((mixture - vocals.estimate) / vocals.level) if len(estimates) == 1 else estimates[1].magnitude
        )
        magnitudes = [vocals.magnitude, other]
        whole = _magnitude(mixture / vocals.level)
        least = QUIETEST * _rms(whole)
        return [magnitude / (_rms(magnitude) + least) for magnitude in magnitudes], whole, magnitudes

    def _real(self, sound: Tensor) -> Tensor:
        magnitude = frames_inside(sound, self.front_end)[:, :, : self.front_end.bins].abs()
        return magnitude / (_rms(magnitude) * (1 + QUIETEST) + EPSILON)

    def _train_critics(self, fakes: Sequence[Tensor], reals: Sequence[Tensor]) -> None:
        """Train both critics for one step."""
        total = torch.zeros((), device=fakes[0].device)
        for critic, fake, real in zip(self.critics, fakes, reals, strict=True):
            share = torch.rand(real.shape[0], 1, 1, 1, device=real.device)
            interpolated = (share * real + (1 - share) * fake).requires_grad_()
            gradient = torch.autograd.grad(critic(interpolated).sum(), interpolated, create_graph=True)[0]
            penalty = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
            total = total + critic(fake).mean() - critic(real).mean() + self.config.penalty * penalty
        self.optimizer.zero_grad()
        total.backward()
        self.optimizer.step()


def _magnitude(spectrum: Tensor) -> Tensor:
    """Return the magnitude of a complex tensor, with a finite gradient at 0."""
    return torch.view_as_real(spectrum).square().sum(-1).add(EPSILON).sqrt()


def _rms(magnitude: Tensor) -> Tensor:
    return magnitude.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
