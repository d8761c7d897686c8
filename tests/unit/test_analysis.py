"""Key and tempo of songs that are made in a known key and at a known tempo."""

import json

import numpy as np
import pytest
from conftest import vocalsep, write
from hypothesis import given, settings
from hypothesis import strategies as st

from vocalsep.analysis import Key, SongAnalyzer, analyze_song

RATE = 22050
SECONDS = 16
# Semitones above the tonic: the chords of a cadence, and a scale that is played over it.
CHORDS = {False: ((0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7)), True: ((0, 3, 7), (5, 8, 12), (7, 11, 14), (0, 3, 7))}
SCALES = {False: (0, 2, 4, 5, 7, 9, 11, 12), True: (0, 2, 3, 5, 7, 8, 11, 12)}


def music(tonic: int, minor: bool, bpm: float = 120, tuning: float = 0.0, first_s: float = 0.0) -> np.ndarray:
    """A cadence with a scale over it and a drum on each beat, (samples,)."""
    beat = 60 / bpm
    out = np.zeros(SECONDS * RATE + RATE)

    def add(start, duration, semitones, level):
        time = np.arange(round(duration * RATE)) / RATE
        hz = 261.63 * 2 ** ((tonic + semitones + tuning) / 12)
        note = sum(np.sin(2 * np.pi * n * hz * time) / n for n in (1, 2, 3)) * np.exp(-2 * time) * level
        out[round(start * RATE) :][: len(note)] += note

    drum = np.random.default_rng(0).standard_normal(1000) * np.exp(-np.arange(1000) / 150)
    for number in range(int((SECONDS - first_s) / beat)):
        start = first_s + number * beat
        for semitones in CHORDS[minor][number // 4 % 4]:
            add(start, beat, semitones, 0.1)
        add(start, beat / 2, SCALES[minor][number % 8], 0.1)
        out[round(start * RATE) :][: len(drum)] += drum * 0.3
    return out[: SECONDS * RATE].astype(np.float32)


def analyze(samples: np.ndarray):
    analyzer = SongAnalyzer(1, RATE)
    for start in range(0, len(samples), 10_007):
        analyzer.push(samples[None, start : start + 10_007])
    return analyzer.finish()


@settings(max_examples=8, deadline=None)
@given(st.integers(-6, 11), st.booleans(), st.floats(-0.35, 0.35))
def test_transposing_a_song_moves_its_key_by_as_much(semitones, minor, tuning):
    found = analyze(music(semitones, minor, tuning=tuning))
    assert found.key == Key(0, minor).transposed(semitones)
    assert found.key_confidence > 0.6


@pytest.mark.parametrize("bpm", [72, 90.5, 120, 168])
def test_tempo_and_beats(bpm):
    found = analyze(music(0, False, bpm, first_s=0.31))
    assert found.bpm == pytest.approx(bpm, rel=0.01)
    assert found.tempo_confidence > 0.9
    truth = 0.31 + np.arange(200) * 60 / bpm
    errors = [np.abs(truth - beat).min() for beat in found.beats]
    assert len(found.beats) >= 0.9 * (SECONDS - 0.31) * bpm / 60
    assert max(errors) < 0.03


def test_noise_has_no_sure_key_and_silence_has_none():
    noise = np.random.default_rng(1).standard_normal(SECONDS * RATE).astype(np.float32) * 0.1
    assert analyze(noise).key_confidence < 0.65
    for samples in (np.zeros(SECONDS * RATE, np.float32), np.zeros(100, np.float32)):
        found = analyze(samples)
        assert (found.key, found.bpm, found.beats) == (None, None, ())


def test_the_shipped_song(demo, tmp_path):
    """`examples/make_song.py` plays four bars of four beats in 9.6 s."""
    path = write(tmp_path / "song.wav", demo["mixture"])
    found = analyze_song(path)
    assert found.bpm == pytest.approx(100, rel=0.01)
    said = json.loads(vocalsep("info", path, "--key-tempo", "--json").stdout)
    assert said["key"] == found.key.name
    assert said["tempo_bpm"] == round(found.bpm, 1)
    assert b"100.0 beats per minute" in vocalsep("info", path, "--key-tempo").stdout


def test_names_of_keys():
    assert [Key(10, False).name, Key(10, True).name, Key(11, True).transposed(2).name] == [
        "Bb major",
        "Bb minor",
        "C# minor",
    ]
