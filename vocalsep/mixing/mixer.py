"""The recipe of a training example: which sounds meet, and what happens to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import soxr

from ..datasets.clips import Clip
from ..datasets.pools import Item, Pool, Pools
from ..errors import AudioError
from . import codecs, dynamics, filters, levels, rooms, speed
from .config import MixingConfig

# An excerpt in which nobody sings teaches little: another place is tried this often.
PLACES = 3
AUDIBLE = 1e-3
# Excerpts that cannot be read are replaced by others, up to this many in one example.
MOST_FAULTS = 20
SPEED_STEP = 0.01


@dataclasses.dataclass(frozen=True)
class Example:
    """What the network hears, and what it should find in it.

    Parameters
    ----------
    vocals, mixture : ndarray (channels, samples), float32
    band : float
        Frequency in Hz up to which the vocals are true: a recording at a low rate says nothing about what is above.
    faults : tuple of str
        What could not be read on the way.
    tries : int
        How many excerpts were read or tried.
    """

    vocals: np.ndarray
    mixture: np.ndarray
    band: float
    faults: tuple[str, ...] = ()
    tries: int = 1


@dataclasses.dataclass(frozen=True)
class Unpaired:
    """A mixture whose sources are not known, and sources that belong to no mixture.

    Parameters
    ----------
    mixture, vocals, accompaniment : ndarray (channels, samples), float32
    faults : tuple of str
        What could not be read on the way.
    tries : int
        How many excerpts were read or tried.
    """

    mixture: np.ndarray
    vocals: np.ndarray
    accompaniment: np.ndarray
    faults: tuple[str, ...] = ()
    tries: int = 3


class Mixer:
    """Makes examples. The same generator state always makes the same example.

    Parameters
    ----------
    pools : Pools
    config : MixingConfig
    sample_rate : int
        Rate of the examples in Hz.
    channels : int
        1 or 2.
    """

    def __init__(self, pools: Pools, config: MixingConfig, sample_rate: int, channels: int):
        self.config = config
        self.sample_rate = sample_rate
        self.channels = channels
        self.vocals = _Chooser(pools.vocals)
        self.accompaniments = _Chooser((*pools.songs, *pools.instrumentals))
        self.noise = _Chooser(pools.noise) if pools.noise else None
        self.unlabelled = _Chooser(pools.unlabelled) if pools.unlabelled else None

    def example(self, rng: np.random.Generator, samples: int) -> Example:
        """Make one example.

        Parameters
        ----------
        rng : numpy.random.Generator
        samples : int
            Its length.

        Raises
        ------
        AudioError
            Far too much of the data cannot be read.
        """
        draw = _Draw(self, rng, samples)
        config = self.config
        vocals, own, band, solo = draw.vocals()
        stranger = own is None or rng.random() < config.remix
        accompaniment = draw.accompaniment() if stranger or own is None else own
        vocals = self._vocal_effects(vocals, rng, solo)
        if rng.random() < config.equalise_accompaniment:
            accompaniment = filters.equalise(accompaniment, self.sample_rate, rng)
        vocals, accompaniment = self._stereo(vocals, rng), self._stereo(accompaniment, rng)
        if stranger:
            vocals = levels.balance(vocals, accompaniment, rng.normal(*config.balance_db))
        elif config.own_balance_db:
            vocals = levels.amplify(vocals, rng.normal(0, config.own_balance_db))
        fate = rng.random()
        if fate < config.no_vocals:
            vocals, band = np.zeros_like(vocals), self.sample_rate / 2
        elif fate < config.no_vocals + config.no_accompaniment:
            accompaniment = np.zeros_like(accompaniment)
        mixture = vocals + accompaniment
        if self.noise is not None and rng.random() < config.noise:
            mixture = levels.add_noise(mixture, draw.any_of(self.noise), rng.uniform(*config.noise_snr_db))
        if rng.random() < config.codec:
            mixture = codecs.codec_loss(mixture, self.sample_rate, rng)
        gain_db = rng.uniform(*config.gain_db)
        vocals, mixture = levels.amplify(vocals, gain_db), levels.amplify(mixture, gain_db)
        return Example(vocals, mixture, band, tuple(draw.faults), draw.tries)

    def unpaired(self, rng: np.random.Generator, samples: int) -> Unpaired:
        """Make an example for semi-supervised training, of songs without stems and of single sources.

        Parameters and errors are those of `example`.
        """
        if self.unlabelled is None:
            raise ValueError("there are no unlabelled songs to draw from")
        draw = _Draw(self, rng, samples)
        mixture = self._stereo(draw.any_of(self.unlabelled), rng)
        vocals, _, _, solo = draw.vocals()
        vocals = self._stereo(self._vocal_effects(vocals, rng, solo), rng)
        accompaniment = self._stereo(draw.accompaniment(), rng)
        return Unpaired(mixture, vocals, accompaniment, tuple(draw.faults), draw.tries)

    def _vocal_effects(self, vocals: np.ndarray, rng: np.random.Generator, solo: bool) -> np.ndarray:
        config = self.config
        effects: tuple[tuple[float, Callable[..., np.ndarray]], ...] = (
            (config.equalise, filters.equalise),
            (config.voices_compress if solo else config.compress, dynamics.compress),
            (config.voices_saturate if solo else config.saturate, dynamics.saturate),
            (config.voices_double if solo else config.double, rooms.double),
            (config.voices_reverberate if solo else config.reverberate, rooms.reverberate),
        )
        for probability, effect in effects:
            if rng.random() < probability:
                vocals = effect(vocals, self.sample_rate, rng)
        return vocals

    def _stereo(self, audio: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        config = self.config
        if rng.random() < config.swap:
            audio = levels.swap_channels(audio)
        if rng.random() < config.polarity:
            audio = levels.invert(audio)
        if rng.random() < config.narrow:
            audio = levels.narrow(audio, rng.uniform(0, 1))
        return audio


class _Chooser:
    """Draws an item: a pool by its weight, an item of it by the square root of its length."""

    def __init__(self, pools: Sequence[Pool]):
        self.pools = pools
        self.odds = np.cumsum([pool.weight for pool in pools])
        self.odds /= self.odds[-1]
        self.inner = [np.cumsum([item.seconds**0.5 for item in pool.items]) for pool in pools]

    def draw(self, rng: np.random.Generator) -> Item:
        pool = int(np.searchsorted(self.odds, rng.random(), side="right"))
        inner = self.inner[pool]
        return self.pools[pool].items[int(np.searchsorted(inner, rng.random() * inner[-1], side="right"))]


class _Draw:
    """The sounds of one example: read, and read elsewhere where a file is damaged."""

    def __init__(self, mixer: Mixer, rng: np.random.Generator, samples: int):
        self.mixer = mixer
        self.rng = rng
        self.samples = samples
        self.faults: list[str] = []
        self.tries = 0

    def vocals(self) -> tuple[np.ndarray, np.ndarray | None, float, bool]:
        """Return vocals, their own accompaniment if there is one, their band in Hz, and whether they are solo."""
        for place in range(PLACES):
            item, sounds = self._excerpt(self.mixer.vocals, both=True)
            if place == PLACES - 1 or np.abs(sounds[0]).max(initial=0.0) > AUDIBLE:
                break
        band = min(item.sample_rate, self.mixer.sample_rate) / 2
        return sounds[0], sounds[1] if len(sounds) > 1 else None, band, isinstance(item, Clip)

    def accompaniment(self) -> np.ndarray:
        """Return the accompaniment of some song, or instrumental music."""
        return self._excerpt(self.mixer.accompaniments, both=False)[1][-1]

    def any_of(self, sounds: _Chooser) -> np.ndarray:
        """Return noise, or a song without stems."""
        return self._excerpt(sounds, both=False)[1][0]

    def _excerpt(self, chooser: _Chooser, both: bool) -> tuple[Item, list[np.ndarray]]:
        for _ in range(MOST_FAULTS):
            item = chooser.draw(self.rng)
            self.tries += 1
            try:
                return item, self._read(item, both)
            except AudioError as error:
                self.faults.append(str(error))
        raise AudioError(
            f"{MOST_FAULTS} excerpts in a row cannot be read, at last {self.faults[-1]}; mend or --exclude such files"
        )

    def _read(self, item: Item, both: bool) -> list[np.ndarray]:
        """Read the same random place of an item's stems, at the mixer's rate, perhaps faster, slower, higher, lower."""
        config, rng, rate = self.mixer.config, self.rng, self.mixer.sample_rate
        factor, tempo, semitones = 1.0, 1.0, 0.0
        kind = rng.random()
        if kind < config.speed:
            factor = 1 + SPEED_STEP * round((rng.uniform(*config.speed_range) - 1) / SPEED_STEP)
        elif kind < config.speed + config.pitch:
            tempo, semitones = rng.uniform(*config.tempo_range), rng.uniform(*config.semitones)
        wanted = int(self.samples * factor * tempo * item.sample_rate / rate) + 2
        start = int(rng.integers(max(1, item.samples - wanted + 1)))
        late = rng.random()
        sounds = [self._wide(sound) for sound in _stems(item, start, wanted, both)]
        apparent = round(item.sample_rate * factor)
        if apparent != rate:
            sounds = [soxr.resample(sound.T, apparent, rate, "MQ").T for sound in sounds]
        if tempo != 1.0 or semitones != 0.0:
            sounds = speed.shift(sounds, rate, tempo=tempo, semitones=semitones)
        return [self._placed(sound, item.seconds / factor / tempo, late) for sound in sounds]

    def _wide(self, sound: np.ndarray) -> np.ndarray:
        if sound.shape[0] == self.mixer.channels:
            return sound
        if sound.shape[0] == 1:
            return np.repeat(sound, self.mixer.channels, axis=0)
        return sound.mean(axis=0, keepdims=True) if self.mixer.channels == 1 else sound[: self.mixer.channels]

    def _placed(self, sound: np.ndarray, seconds: float, late: float) -> np.ndarray:
        """Cut to the example's length; a sound that is shorter comes in somewhere within it."""
        placed = np.zeros((self.mixer.channels, self.samples), np.float32)
        length = min(sound.shape[1], self.samples, max(1, round(seconds * self.mixer.sample_rate)))
        start = int(late * (self.samples - length + 1))
        placed[:, start : start + length] = sound[:, :length]
        return placed


def _stems(item: Item, start: int, samples: int, both: bool) -> list[np.ndarray]:
    if isinstance(item, Clip):
        return [item.read(start, samples)]
    return item.stems(("vocals", "accompaniment") if both else ("accompaniment",), start, samples)
