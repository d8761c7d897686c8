"""Mix training examples: which sounds are combined, and which augmentations are applied."""

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

# Excerpts of vocals to try until one is not silent: its peak is above AUDIBLE.
MOST_TRIES = 3
AUDIBLE = 1e-3
# Excerpts that cannot be read are replaced by others, up to this many in an example.
MOST_FAULTS = 20
SPEED_STEP = 0.01


@dataclasses.dataclass(frozen=True)
class Example:
    """A mixture and its vocals, the input and target of a network.

    Parameters
    ----------
    vocals, mixture : ndarray (channels, samples), float32
    band : float
        Frequency in Hz up to which the vocals are known: half the sample rate of their recording, at most.
    faults : tuple of str
        Errors of excerpts that could not be read.
    tries : int
        Number of excerpts that were read or tried.
    """

    vocals: np.ndarray
    mixture: np.ndarray
    band: float
    faults: tuple[str, ...] = ()
    tries: int = 1


@dataclasses.dataclass(frozen=True)
class UnpairedExample:
    """A mixture of unknown sources, and sources of other mixtures.

    Parameters
    ----------
    mixture, vocals, accompaniment : ndarray (channels, samples), float32
    faults : tuple of str
        Errors of excerpts that could not be read.
    tries : int
        Number of excerpts that were read or tried.
    """

    mixture: np.ndarray
    vocals: np.ndarray
    accompaniment: np.ndarray
    faults: tuple[str, ...] = ()
    tries: int = 3


class Mixer:
    """Mixes examples; the same state of the generator gives the same example.

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
        self.vocals = _Sampler(pools.vocals)
        self.accompaniments = _Sampler((*pools.songs, *pools.instrumentals))
        self.noise = _Sampler(pools.noise) if pools.noise else None
        self.unlabelled = _Sampler(pools.unlabelled) if pools.unlabelled else None

    def example(self, rng: np.random.Generator, samples: int) -> Example:
        """Mix one example.

        Parameters
        ----------
        rng : numpy.random.Generator
        samples : int
            Length of the example.

        Raises
        ------
        AudioError
            Too many excerpts in a row cannot be read.
        """
        reader = _ExcerptReader(self, rng, samples)
        config = self.config
        vocals, own, band, solo = reader.vocals()
        remixed = own is None or rng.random() < config.remix
        accompaniment = reader.accompaniment() if remixed or own is None else own
        vocals = self._vocal_effects(vocals, rng, solo)
        if rng.random() < config.equalise_accompaniment:
            accompaniment = filters.equalise(accompaniment, self.sample_rate, rng)
        vocals, accompaniment = self._stereo(vocals, rng), self._stereo(accompaniment, rng)
        if remixed:
            vocals = levels.balance(vocals, accompaniment, rng.normal(*config.balance_db))
        elif config.own_balance_db:
            vocals = levels.amplify(vocals, rng.normal(0, config.own_balance_db))
        dropped = rng.random()
        if dropped < config.no_vocals:
            vocals, band = np.zeros_like(vocals), self.sample_rate / 2
        elif dropped < config.no_vocals + config.no_accompaniment:
            accompaniment = np.zeros_like(accompaniment)
        mixture = vocals + accompaniment
        if self.noise is not None and rng.random() < config.noise:
            mixture = levels.add_noise(mixture, reader.any_of(self.noise), rng.uniform(*config.noise_snr_db))
        if rng.random() < config.codec:
            mixture = codecs.codec_loss(mixture, self.sample_rate, rng)
        gain_db = rng.uniform(*config.gain_db)
        vocals, mixture = levels.amplify(vocals, gain_db), levels.amplify(mixture, gain_db)
        return Example(vocals, mixture, band, tuple(reader.faults), reader.tries)

    def unpaired(self, rng: np.random.Generator, samples: int) -> UnpairedExample:
        """Make an example for semi-supervised training, from songs without stems and from single sources.

        Parameters and errors are those of `example`.
        """
        if self.unlabelled is None:
            raise ValueError("there are no unlabelled songs to draw from")
        reader = _ExcerptReader(self, rng, samples)
        mixture = self._stereo(reader.any_of(self.unlabelled), rng)
        vocals, _, _, solo = reader.vocals()
        vocals = self._stereo(self._vocal_effects(vocals, rng, solo), rng)
        accompaniment = self._stereo(reader.accompaniment(), rng)
        return UnpairedExample(mixture, vocals, accompaniment, tuple(reader.faults), reader.tries)

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


class _Sampler:
    """Draws items: a pool by its weight, and an item in it by the square root of its length."""

    def __init__(self, pools: Sequence[Pool]):
        self.pools = pools
        self.pool_bounds = np.cumsum([pool.weight for pool in pools])
        self.pool_bounds /= self.pool_bounds[-1]
        self.item_bounds = [np.cumsum([item.seconds**0.5 for item in pool.items]) for pool in pools]

    def draw(self, rng: np.random.Generator) -> Item:
        pool = int(np.searchsorted(self.pool_bounds, rng.random(), side="right"))
        bounds = self.item_bounds[pool]
        return self.pools[pool].items[int(np.searchsorted(bounds, rng.random() * bounds[-1], side="right"))]


class _ExcerptReader:
    """Reads the excerpts of one example; replaces those that cannot be read by others."""

    def __init__(self, mixer: Mixer, rng: np.random.Generator, samples: int):
        self.mixer = mixer
        self.rng = rng
        self.samples = samples
        self.faults: list[str] = []
        self.tries = 0

    def vocals(self) -> tuple[np.ndarray, np.ndarray | None, float, bool]:
        """Return vocals, their own accompaniment or None, their band in Hz, and whether they are a solo recording."""
        for attempt in range(MOST_TRIES):
            item, sounds = self._excerpt(self.mixer.vocals, both=True)
            if attempt == MOST_TRIES - 1 or np.abs(sounds[0]).max(initial=0.0) > AUDIBLE:
                break
        band = min(item.sample_rate, self.mixer.sample_rate) / 2
        return sounds[0], sounds[1] if len(sounds) > 1 else None, band, isinstance(item, Clip)

    def accompaniment(self) -> np.ndarray:
        """Return the accompaniment of some song, or instrumental music."""
        return self._excerpt(self.mixer.accompaniments, both=False)[1][-1]

    def any_of(self, sounds: _Sampler) -> np.ndarray:
        """Return an excerpt of noise, or of a song without stems."""
        return self._excerpt(sounds, both=False)[1][0]

    def _excerpt(self, chooser: _Sampler, both: bool) -> tuple[Item, list[np.ndarray]]:
        for _ in range(MOST_FAULTS):
            item = chooser.draw(self.rng)
            self.tries += 1
            try:
                return item, self._read(item, both)
            except AudioError as error:
                self.faults.append(str(error))
        raise AudioError(
            f"{MOST_FAULTS} excerpts in a row cannot be read, at last {self.faults[-1]}",
            hint="repair or exclude such files",
        )

    def _read(self, item: Item, both: bool) -> list[np.ndarray]:
        """Read the same random excerpt of an item's stems at the mixer's rate, with random pitch and tempo."""
        config, rng, rate = self.mixer.config, self.rng, self.mixer.sample_rate
        factor, tempo, semitones = 1.0, 1.0, 0.0
        kind = rng.random()
        if kind < config.speed:
            factor = 1 + SPEED_STEP * round((rng.uniform(*config.speed_range) - 1) / SPEED_STEP)
        elif kind < config.speed + config.pitch:
            tempo, semitones = rng.uniform(*config.tempo_range), rng.uniform(*config.semitones)
        needed = int(self.samples * factor * tempo * item.sample_rate / rate) + 2
        start = int(rng.integers(max(1, item.samples - needed + 1)))
        position = rng.random()
        sounds = [self._with_channels(sound) for sound in _stems(item, start, needed, both)]
        apparent = round(item.sample_rate * factor)
        if apparent != rate:
            sounds = [soxr.resample(sound.T, apparent, rate, "MQ").T for sound in sounds]
        if tempo != 1.0 or semitones != 0.0:
            sounds = speed.shift(sounds, rate, tempo=tempo, semitones=semitones)
        return [self._fitted(sound, item.seconds / factor / tempo, position) for sound in sounds]

    def _with_channels(self, sound: np.ndarray) -> np.ndarray:
        if sound.shape[0] == self.mixer.channels:
            return sound
        if sound.shape[0] == 1:
            return np.repeat(sound, self.mixer.channels, axis=0)
        return sound.mean(axis=0, keepdims=True) if self.mixer.channels == 1 else sound[: self.mixer.channels]

    def _fitted(self, sound: np.ndarray, seconds: float, position: float) -> np.ndarray:
        """Cut a sound to the example's length; a shorter one starts at `position`, from 0 (start) to 1 (end)."""
        fitted = np.zeros((self.mixer.channels, self.samples), np.float32)
        length = min(sound.shape[1], self.samples, max(1, round(seconds * self.mixer.sample_rate)))
        start = int(position * (self.samples - length + 1))
        fitted[:, start : start + length] = sound[:, :length]
        return fitted


def _stems(item: Item, start: int, samples: int, both: bool) -> list[np.ndarray]:
    if isinstance(item, Clip):
        return [item.read(start, samples)]
    return item.stems(("vocals", "accompaniment") if both else ("accompaniment",), start, samples)
