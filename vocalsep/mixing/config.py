"""Probabilities and ranges of all augmentations."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..errors import UsageError

Range = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class MixingConfig:
    """Probabilities (0 to 1) and ranges of all augmentations; `MixingConfig.plain()` applies none.

    Parameters
    ----------
    remix : float
        Vocals are mixed with the accompaniment of another song, or instrumental music, instead of their own.
    balance_db : tuple of float
        Mean and standard deviation of the vocals' level relative to another accompaniment than their own.
    own_balance_db : float
        Standard deviation of the change of the vocals' level relative to their own accompaniment.
    no_vocals, no_accompaniment : float
        Vocals or accompaniment are replaced by silence.
    swap, polarity, narrow : float
        Channels are swapped, inverted, or narrowed towards mono, independently for each stem.
    speed, speed_range : float, tuple of float
        Pitch and tempo change together by a factor.
    pitch, semitones, tempo_range : float, tuples of float
        Pitch and tempo change independently.
    equalise, compress, saturate, double, reverberate : float
        Effects on vocals from songs.
    voices_compress, voices_saturate, voices_double, voices_reverberate : float
        The same for solo voices, which are recorded without effects.
    equalise_accompaniment : float
    noise, noise_snr_db : float, tuple of float
        Noise is added to the mixture, not to the vocals, at a ratio of mixture to noise in dB.
    codec : float
        The mixture is encoded and decoded as MP3 or AAC.
    gain_db : tuple of float
        Level of the whole example.
    """

    remix: float = 0.5
    balance_db: Range = (-3.0, 5.0)
    own_balance_db: float = 2.5
    no_vocals: float = 0.08
    no_accompaniment: float = 0.04
    swap: float = 0.5
    polarity: float = 0.5
    narrow: float = 0.1
    speed: float = 0.3
    speed_range: Range = (0.9, 1.1)
    pitch: float = 0.1
    semitones: Range = (-3.0, 3.0)
    tempo_range: Range = (0.85, 1.15)
    equalise: float = 0.2
    compress: float = 0.1
    saturate: float = 0.05
    double: float = 0.05
    reverberate: float = 0.1
    voices_compress: float = 0.5
    voices_saturate: float = 0.1
    voices_double: float = 0.25
    voices_reverberate: float = 0.7
    equalise_accompaniment: float = 0.1
    noise: float = 0.3
    noise_snr_db: Range = (10.0, 40.0)
    codec: float = 0.05
    gain_db: Range = (-9.0, 6.0)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type == "float" and field.name != "own_balance_db" and not 0 <= value <= 1:
                raise UsageError(f"mixing.{field.name} is a probability from 0 to 1, not {value}")
            if field.type == "Range" and field.name != "balance_db" and value[0] > value[1]:
                raise UsageError(f"mixing.{field.name} goes from the smaller to the larger, not {value}")
        for name in ("speed_range", "tempo_range"):
            if not 0.5 <= getattr(self, name)[0] <= getattr(self, name)[1] <= 2:
                raise UsageError(f"mixing.{name} must lie within 0.5 and 2, not {getattr(self, name)}")

    @classmethod
    def plain(cls) -> MixingConfig:
        """Return a configuration without any augmentation, such as for overfitting to one song."""
        off: dict[str, Any] = {field.name: 0.0 for field in dataclasses.fields(cls) if field.type == "float"}
        return cls(**off, gain_db=(0.0, 0.0))
