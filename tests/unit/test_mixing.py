"""Augmentations are pure functions; the mixer is a function of its generator."""

import dataclasses
import pathlib

import numpy as np
import pytest
from conftest import sdr, tones, write
from hypothesis import given, settings
from hypothesis import strategies as st

from vocalsep.datasets.pools import Pool, Pools
from vocalsep.datasets.stems import find_songs, find_sounds
from vocalsep.errors import AudioError, UsageError
from vocalsep.mixing import codecs, dynamics, filters, levels, rooms, speed
from vocalsep.mixing.config import MixingConfig
from vocalsep.mixing.mixer import Mixer

RATE = 44100
EFFECTS = (filters.equalise, dynamics.compress, dynamics.saturate, rooms.double, rooms.reverberate)


def level_db(audio):
    return 20 * np.log10(levels.rms(audio))


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: effect.__name__)
@settings(max_examples=12, deadline=None)
@given(samples=st.sampled_from([1, 2, 63, 64, 65, 5000]), channels=st.integers(1, 2), seed=st.integers(0, 99))
def test_effects_are_pure(effect, samples, channels, seed):
    audio = np.random.default_rng(seed).standard_normal((channels, samples)).astype(np.float32)
    before = audio.copy()
    first = effect(audio, RATE, np.random.default_rng(seed))
    assert first.shape == audio.shape
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    assert np.array_equal(audio, before)
    assert np.array_equal(first, effect(audio, RATE, np.random.default_rng(seed)))
    assert not effect(np.zeros_like(audio), RATE, np.random.default_rng(seed)).any()


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: effect.__name__)
def test_effects_do_something_to_a_voice(effect):
    audio = tones(2)
    assert sdr(audio, effect(audio, RATE, np.random.default_rng(3))) < 40


def test_bell_filter_has_its_gain_at_its_centre_only():
    time = np.arange(RATE) / RATE
    low, high = (np.sin(2 * np.pi * hertz * time)[None].astype(np.float32) for hertz in (200, 3000))
    bell = (np.array([3000.0]), np.array([6.0]), np.array([1.0]))
    cut = slice(4000, -4000)
    assert level_db(filters.apply_response(high, RATE, *bell)[:, cut]) - level_db(high[:, cut]) == pytest.approx(
        6, abs=0.05
    )
    assert level_db(filters.apply_response(low, RATE, *bell)[:, cut]) - level_db(low[:, cut]) == pytest.approx(
        0, abs=0.05
    )


def test_a_room_decays_by_60_db_in_its_time():
    tail = rooms.room_response(2, RATE, np.random.default_rng(0), rt60_s=0.5, delay_s=0.1)
    assert not tail[:, : round(0.1 * RATE) - 1].any()
    tail = tail[:, round(0.1 * RATE) :]
    early, late = tail[:, 3000:5000], tail[:, -2000:]
    decay = (level_db(early) - level_db(late)) / ((tail.shape[1] - 1000 - 4000) / RATE) * 0.5
    assert decay == pytest.approx(60, abs=6)
    assert abs(np.corrcoef(tail)[0, 1]) < 0.3


def test_compression_lowers_loud_parts_and_keeps_the_level():
    time = np.arange(2 * RATE) / RATE
    audio = (np.sin(2 * np.pi * 300 * time) * np.where(time < 1, 0.05, 0.8))[None].astype(np.float32)
    squeezed = dynamics.compress(audio, RATE, np.random.default_rng(0), threshold_db=(-20, -20), ratio=(4, 4))
    halves = [(level_db(x[:, RATE + 9000 :]) - level_db(x[:, 9000:RATE])) for x in (audio, squeezed)]
    assert halves[1] < halves[0] - 8
    assert level_db(squeezed) == pytest.approx(level_db(audio), abs=0.01)


@pytest.mark.parametrize("seed", range(6))
def test_a_codec_loses_something_and_stays_in_time(seed):
    audio = tones(3)
    lossy = codecs.codec_loss(audio, RATE, np.random.default_rng(seed))
    assert lossy.shape == audio.shape
    first, second = audio.sum(0), lossy.sum(0)
    correlation = np.fft.irfft(np.conj(np.fft.rfft(first, 1 << 19)) * np.fft.rfft(second, 1 << 19))
    assert np.argmax(correlation) == 0
    assert 10 < sdr(audio[:, 3000:-3000], lossy[:, 3000:-3000]) < 70


@settings(max_examples=20, deadline=None)
@given(snr=st.floats(-20, 40), scale=st.floats(0.01, 10))
def test_noise_comes_at_the_ratio_that_was_asked_for(snr, scale):
    rng = np.random.default_rng(1)
    audio, noise = (rng.standard_normal((2, 2000)).astype(np.float32) for _ in range(2))
    added = levels.add_noise(audio, noise * np.float32(scale), snr) - audio
    assert level_db(audio) - level_db(added) == pytest.approx(snr, abs=0.01)
    assert not levels.add_noise(np.zeros_like(audio), noise, snr).any()


def test_pitch_and_tempo_change_independently_and_stems_stay_together():
    time = np.arange(3 * RATE) / RATE
    sine = np.repeat(np.sin(2 * np.pi * 440 * time)[None], 2, axis=0).astype(np.float32)
    first, second = speed.shift([sine, 0.5 * sine], RATE, tempo=0.8, semitones=3)
    assert first.shape == (2, round(3 * RATE / 0.8))
    spectrum = np.abs(np.fft.rfft(first[0] * np.hanning(first.shape[1])))
    assert np.argmax(spectrum) * RATE / first.shape[1] == pytest.approx(440 * 2 ** (3 / 12), rel=0.002)
    assert np.allclose(second, 0.5 * first, atol=1e-5)
    cut = slice(RATE // 2, -RATE // 2)
    assert level_db(first[:, cut]) == pytest.approx(level_db(sine), abs=0.5)


@pytest.mark.parametrize(("tempo", "semitones"), [(0.9, 0.0), (1.1, 0.0), (1.0, 2.0), (1.13, -1.5)])
def test_shifted_stems_still_sum_to_the_shifted_mixture(tempo, semitones):
    vocals, accompaniment = tones(3.0), tones(3.0, seed=1)
    shifted = speed.shift([vocals, accompaniment], RATE, tempo=tempo, semitones=semitones)
    again = speed.shift([vocals, accompaniment], RATE, tempo=tempo, semitones=semitones)
    assert all(np.array_equal(one, other) for one, other in zip(shifted, again, strict=True))
    assert shifted[0].shape == (2, round(vocals.shape[1] / tempo))
    # A third stem, the sum of both, goes through the same overlaps.
    three = speed.shift([vocals, accompaniment, vocals + accompaniment], RATE, tempo=tempo, semitones=semitones)
    inner = slice(RATE // 2, -RATE // 2)
    assert sdr(three[2][:, inner], (three[0] + three[1])[:, inner]) > 60


def test_levels_and_image():
    audio = tones(0.2)
    assert level_db(levels.amplify(audio, -7.5)) - level_db(audio) == pytest.approx(-7.5, abs=1e-4)
    assert np.array_equal(levels.swap_channels(audio)[0], audio[1])
    assert np.array_equal(levels.invert(audio), -audio)
    mono = levels.narrow(audio, 0.0)
    assert np.allclose(mono[0], mono[1])
    assert np.allclose(levels.narrow(audio, 1.0), audio, atol=1e-6)
    assert level_db(levels.balance(audio, 3 * audio, -4)) - level_db(3 * audio) == pytest.approx(-4, abs=1e-3)


@pytest.fixture
def folders(tmp_path):
    for number in range(3):
        voice, rest = tones(4, seed=number), 0.1 * np.random.default_rng(number).standard_normal((2, 4 * RATE))
        write(tmp_path / f"songs/{number}/vocals.wav", voice)
        write(tmp_path / f"songs/{number}/accompaniment.flac", rest)
        write(tmp_path / f"voices/{number}.wav", tones(1.5, 16000, 1, number), 16000)
    write(tmp_path / "noise/n.wav", 0.1 * np.random.default_rng(9).standard_normal((1, RATE)))
    return tmp_path


def pools(folder: pathlib.Path) -> Pools:
    return Pools(
        songs=(Pool(tuple(find_songs(folder / "songs"))),),
        voices=(Pool(tuple(find_sounds(folder / "voices"))),),
        noise=(Pool(tuple(find_sounds(folder / "noise"))),),
    )


def test_the_same_generator_makes_the_same_example(folders):
    mixer = Mixer(pools(folders), MixingConfig(), RATE, 2)
    for seed in range(12):
        first, second = (mixer.example(np.random.default_rng(seed), 30000) for _ in range(2))
        assert np.array_equal(first.mixture, second.mixture)
        assert np.array_equal(first.vocals, second.vocals)
        assert first.vocals.shape == first.mixture.shape == (2, 30000)
        assert np.isfinite(first.mixture).all()
        assert first.band in (8000, 22050)


def test_without_augmentation_an_example_is_the_song(folders):
    mixer = Mixer(Pools(songs=pools(folders).songs), MixingConfig.plain(), RATE, 2)
    example = mixer.example(np.random.default_rng(0), 20000)
    songs = find_songs(folders / "songs")
    found = False
    for song in songs:
        vocals, mixture = song.read("vocals"), song.read("mixture")
        places = np.flatnonzero(np.isclose(vocals[0], example.vocals[0, 0], atol=1e-7))
        for place in places:
            part = vocals[:, place : place + 20000]
            if part.shape == example.vocals.shape and np.allclose(part, example.vocals, atol=1e-6):
                found = np.allclose(mixture[:, place : place + 20000], example.mixture, atol=1e-6)
    assert found


def test_noise_is_in_the_mixture_and_never_in_the_vocals(folders):
    quiet = dataclasses.replace(MixingConfig.plain(), no_vocals=1.0, no_accompaniment=0.0)
    noisy = dataclasses.replace(quiet, noise=1.0, noise_snr_db=(0.0, 0.0))
    clean, dirty = (Mixer(pools(folders), c, RATE, 2).example(np.random.default_rng(1), 9000) for c in (quiet, noisy))
    assert not dirty.vocals.any()
    assert levels.rms(dirty.mixture - clean.mixture) == pytest.approx(levels.rms(clean.mixture), rel=1e-3)


def test_a_damaged_file_is_passed_over_and_named(folders):
    found = pools(folders)
    broken = folders / "songs/1/vocals.wav"
    broken.write_bytes(broken.read_bytes()[:30])
    mixer = Mixer(found, MixingConfig(), RATE, 2)
    faults = [fault for seed in range(20) for fault in mixer.example(np.random.default_rng(seed), 9000).faults]
    assert faults
    assert all(str(broken) in fault for fault in faults)


def test_nothing_readable_is_an_error(folders):
    found = pools(folders)
    for path in folders.rglob("*.*"):
        path.write_bytes(b"")
    with pytest.raises(AudioError, match="20 excerpts in a row"):
        Mixer(found, MixingConfig(), RATE, 2).example(np.random.default_rng(0), 9000)


@pytest.mark.parametrize("wrong", [{"swap": 1.5}, {"speed_range": (1.2, 0.9)}, {"tempo_range": (0.1, 1.0)}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        MixingConfig(**wrong)
