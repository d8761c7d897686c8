"""Render "Paper Lantern", the short demo song that ships with vocalsep.

Everything in it is made here: words, melody and arrangement are original, the band is synthesised with numpy and
scipy, and the singer is the espeak-ng speech synthesiser, resung by a small vocoder.  No sample or recording is used.

Run ``python examples/make_song.py [--out FOLDER]`` (needs the espeak-ng program).  It writes ``song.ogg`` (the
mixture) and ``song-stems/vocals.ogg`` and ``song-stems/accompaniment.ogg``, which add up to the mixture sample for
sample before the lossy Vorbis coding, then reports levels and how well the singer is in tune.
"""

from __future__ import annotations

import argparse
import base64
import io
import shutil
import struct
import subprocess
import sys
import zlib
from functools import cache
from pathlib import Path

import librosa
import numpy as np
import soundfile as sf
from mutagen.flac import Picture
from mutagen.ogg import OggPage
from mutagen.oggvorbis import OggVorbis
from scipy.ndimage import gaussian_filter1d, uniform_filter1d
from scipy.signal import butter, fftconvolve, istft, lfilter, sosfilt, stft

RATE = 44100
BEAT = 26460  # samples: 100 beats a minute
BAR = 4 * BEAT
LENGTH = 11 * BAR + 52920  # the last chord rings for 1.2 s
VOICE_RATE = 22050  # what espeak-ng writes
VOICE_HOP = 110
HOP = VOICE_HOP * RATE // VOICE_RATE  # one vocoder frame lasts about 5 ms at both rates
FRAMES = LENGTH // HOP + 1
FFT = 1024  # at VOICE_RATE; twice that at RATE keeps the same bin width
VOICE = ["espeak-ng", "-v", "en-us+f2", "-s", "145", "-p", "45", "--stdout"]

# The words: "Paper lantern, hold your glow / past the rooftops, soft and slow /
# carry all I want to say / over water, far away".
# One line of the song each: first bar, then espeak-ng phonemes, note, beat in the line, length in beats.
LINES = {
    1: "p'eI E4 0 1, p'3 D4 1 .5, l'an E4 1.5 1, t'3n G4 2.5 1.4, h'oUld G4 4 1, j'o@ F4 5 .5, gl'oU D4 5.5 1.7",
    3: "p'ast E4 0 1, D'@2 C4 1 .5, r'u:f A4 1.5 1, t'0ps G4 2.5 1.4, s'O:ft F4 4 1, 'and G4 5 .5, sl'oU A4 5.5 1.9",
    6: "k'a G4 0 .75, r'i: A4 .75 .75, 'O:l G4 1.5 1, 'aI E4 2.5 1.4, w'0nt F4 4 1, t'u: E4 5 .5, s'eI C4 5.5 1.7",
    8: "'oU D4 0 1, v'3 F4 1 .5, w'O: E4 1.5 1, t'3 D4 2.5 1.4, f'A@ E4 4 1, r'a D4 5 .5, w'eI C4 5.5 2.3",
}
# Two chords a bar, and for each chord its bass note and upper voices.
BARS = "C Fmaj7  C C  G/B G/B  Am7 C/E  Fmaj7 Fmaj7  Am7 G7  C/E C  Fmaj7 C  Dm7 G/B  Fmaj7 C  C C"
CHORDS = {
    "C": "C2 G3 C4 E4",
    "G/B": "B1 G3 B3 D4",
    "Am7": "A1 G3 C4 E4",
    "Fmaj7": "F1 A3 C4 E4",
    "C/E": "E2 G3 C4 G4",
    "Dm7": "D2 A3 C4 F4",
    "G7": "G1 F3 B3 D4",
}
# The bell answers where the singer rests: bar, beat, note.
BELL = (
    "0 0 G5, 0 1 E5, 0 1.5 D5, 0 2.5 C5, 2 3 B4, 2 3.5 D5, 4 3.25 C5, 5 0 E5, 5 .75 D5, 5 1.5 C5, 5 2 B4, 5 3 D5, "
    "5 3.5 F5, 7 3.25 E5, 7 3.5 G5, 9 3.75 D5, 10 0 E5, 10 1 G5, 10 2 C6"
)


def hertz(note: str) -> float:
    return float(librosa.note_to_hz(note))


def add_at(track: np.ndarray, sound: np.ndarray, start: float, gain: float = 1.0, pan: float = 0.0) -> None:
    """Add a mono sound to a stereo track at equal power; pan runs from -1 (left) to 1 (right)."""
    start = int(start)
    sound = gain * sound[: len(track) - start]
    angle = (pan + 1) * np.pi / 4
    track[start : start + len(sound)] += sound[:, None] * np.sqrt(2) * np.array([np.cos(angle), np.sin(angle)])


def reverb(dry: np.ndarray, seconds: float, seed: int) -> np.ndarray:
    """Convolve with stereo noise that decays by 60 dB in the given time and darkens on the way."""
    time = np.arange(int(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).standard_normal((len(time), 2)) * 10 ** (-3 * time / seconds)[:, None]
    noise = sosfilt(butter(2, [250, 5500], "band", fs=RATE, output="sos"), noise, axis=0)
    noise = np.vstack([np.zeros((int(0.018 * RATE), 2)), noise / np.sqrt(np.sum(noise**2, axis=0))])
    return fftconvolve(dry, noise, axes=0)[: len(dry)]


# ---- The singer ----------------------------------------------------------------------------------------------------


def speak(phonemes: str) -> np.ndarray:
    spoken = subprocess.run([*VOICE, f"[[{phonemes}]]"], capture_output=True, check=True).stdout
    # espeak-ng cannot seek in a pipe, so its header claims a wrong length: skip it.
    audio = np.frombuffer(spoken[44 : 44 + (len(spoken) - 44) // 2 * 2], "<i2") / 32768
    loud = np.flatnonzero(np.abs(audio) > 0.004)
    # The silence kept in front is the closure that makes a stop consonant audible between two vowels.
    closure = int(0.045 * VOICE_RATE) if phonemes[0] in "ptkbd" else 0
    return np.concatenate([np.zeros(closure), audio[loud[0] : loud[-1] + 1], np.zeros(VOICE_HOP)])


def find_voice(audio: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the spoken pitch and the voicing (0 or 1) of every frame, by autocorrelation of the low band."""
    low = sosfilt(butter(2, 1500, fs=VOICE_RATE, output="sos"), audio)
    size, shortest, longest = 660, VOICE_RATE // 330, VOICE_RATE // 110
    padded = np.pad(low, (size // 2, size // 2 + longest))
    pitch, score, energy = np.full(count, 200.0), np.zeros(count), np.zeros(count)
    for i in range(count):
        block = padded[i * VOICE_HOP : i * VOICE_HOP + size + longest]
        energies = np.convolve(block**2, np.ones(size), "valid")
        energy[i] = energies[0]
        scores = np.correlate(block, block[:size], "valid") / np.sqrt(energies * energies[0] + 1e-4)
        # The first peak near the best one avoids octave errors.
        lag = shortest + int(np.argmax(scores[shortest:] > 0.93 * scores[shortest:].max()))
        while lag < longest and scores[lag + 1] > scores[lag]:
            lag += 1
        pitch[i], score[i] = VOICE_RATE / lag, scores[lag]
    # 18 dB below the vowel, what is left of a pitch is only the ring of a fricative.
    return pitch, (score > 0.6) & (pitch < 280) & (energy > energy.max() / 63)


def envelope(audio: np.ndarray, centre: int, pitch: float) -> np.ndarray:
    """Return the log power spectrum without its harmonics, smoothed as WORLD's CheapTrick does."""
    half = int(1.5 * VOICE_RATE / pitch)
    block = np.pad(audio, half)[centre : centre + 2 * half] * (window := np.hanning(2 * half))
    power = np.abs(np.fft.rfft(block / np.sqrt(np.sum(window**2)), FFT)) ** 2 + 1e-10
    width = max(1, round(2 / 3 * pitch * FFT / VOICE_RATE))
    cepstrum = np.fft.irfft(np.log(uniform_filter1d(power, width, mode="mirror")))
    turns = np.minimum(np.arange(FFT), FFT - np.arange(FFT)) / VOICE_RATE * pitch
    return np.fft.rfft(cepstrum * np.sinc(turns) * (1.3 - 0.3 * np.cos(2 * np.pi * turns))).real


@cache
def analyse(phonemes: str) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Return log envelopes, voicing (0 to 1) and the first and last frame of the vowel of one syllable."""
    audio = speak(phonemes)
    count = len(audio) // VOICE_HOP
    pitch, voice = find_voice(audio, count)
    voiced = gaussian_filter1d(voice.astype(float), 1)
    logs = np.array([envelope(audio, i * VOICE_HOP, pitch[i] if voice[i] else 250.0) for i in range(count)])
    level = gaussian_filter1d(np.log(np.exp(logs[:, 10:180]).sum(axis=1)), 2)
    peak = int(np.argmax(np.where(voice, level, -99)))
    vowel = np.pad((level > level[peak] - 2.3) & voice, 1)
    first = peak + 1 - int(np.argmin(vowel[peak + 1 :: -1]))
    last = peak - 1 + int(np.argmin(vowel[peak + 1 :]))
    # A sung vowel does not fade as a spoken one does.
    logs[first : last + 1] -= 0.7 * (level[first : last + 1] - level[peak])[:, None]
    if phonemes[-1] in "IU3@2aOi:":
        logs, voiced = logs[: last + 2], voiced[: last + 2]
    return logs - level[peak], voiced, first, last


def stretch(first: int, last: int, length: int) -> np.ndarray:
    """Map note frames to vowel frames: attack and release at speaking speed, the middle held."""
    hold_from, hold_to = first + 0.35 * (last - first), first + 0.6 * (last - first)
    attack, release = hold_from - first, last - hold_to
    if length <= attack + release + 4:
        return np.linspace(first, last, length)
    return np.interp(np.arange(length), [0, attack, length - release, length], [first, hold_from, hold_to, last])


def sung_notes() -> list[list[tuple[str, float, int, int]]]:
    """Return every line as (phonemes, MIDI pitch, first frame of the vowel, frames to the end of the note)."""
    lines = []
    for bar, line in LINES.items():
        lines.append([])
        for text, note, beat, length in (entry.split() for entry in line.split(",")):
            start = round((bar * BAR + float(beat) * BEAT) / HOP)
            lines[-1].append((text, float(librosa.note_to_midi(note)), start, round(float(length) * BEAT / HOP)))
    return lines


def articulate() -> tuple[np.ndarray, np.ndarray]:
    """Lay all syllables out in time; return log envelopes and voicing for every frame of the song."""
    logs, voiced = np.full((FRAMES, FFT // 2 + 1), -24.0), np.zeros(FRAMES)
    for line in sung_notes():
        for i, (text, _, start, length) in enumerate(line):
            spoken, voicing, first, last = analyse(text)
            # Vowels fall on the beat, so a syllable makes room for the consonants of the next one.
            end = line[i + 1][2] - analyse(line[i + 1][0])[2] if i + 1 < len(line) else start + length
            # Closing consonants are spoken slower than they are sung.
            coda = np.linspace(last + 1, len(spoken) - 1, min(len(spoken) - last - 1, 36))
            held = max(min(end, start + length) - start - len(coda), 10)
            path = np.concatenate([np.arange(first), stretch(first, last, held), coda])
            if i + 1 < len(line):
                path = path[: end - start + first]
            here = slice(start - first, start - first + len(path))
            below = np.minimum(path.astype(int), len(spoken) - 2)
            part = (path - below)[:, None]
            accent = 0.12 if length > 150 else 0.0
            release = np.clip((np.arange(len(path)) - len(path) + 70) / 70, 0, 1)
            fade = -7 * release**2 * (i + 1 == len(line))
            logs[here] = (1 - part) * spoken[below] + part * spoken[below + 1] + (accent + fade)[:, None]
            voiced[here] = voicing[below]
    return gaussian_filter1d(logs, 1.0, axis=0), gaussian_filter1d(voiced, 1.0)


def melody_contour(rng: np.random.Generator) -> np.ndarray:
    """Return the sung pitch of every frame in Hz: glides, a scoop into each line, vibrato and a little drift."""
    midi, vibrato = np.full(FRAMES, 60.0), np.zeros(FRAMES)
    for line in sung_notes():
        midi[line[0][2] - 60 :] = line[0][1] - 0.8
        for _, note, start, length in line:
            midi[start - 5 :] = note
            if length > 150:
                vibrato[start : start + length] = np.interp(np.arange(length), [60, 140], [0, 0.32])
    slow, quick = rng.standard_normal((2, FRAMES))
    drift = 0.4 * gaussian_filter1d(slow, 25) + 0.04 * gaussian_filter1d(quick, 2)
    rate = 5.5 + gaussian_filter1d(rng.standard_normal(FRAMES), 60) * 3
    wave = np.sin(2 * np.pi * np.cumsum(rate) * HOP / RATE)
    midi = gaussian_filter1d(midi, 6) + gaussian_filter1d(vibrato, 8) * wave + drift
    return 440 * 2 ** ((midi - 69) / 12)


def polish(logs: np.ndarray) -> np.ndarray:
    """Shape the spectrum like a mixing engineer: less rumble, and the ring that lets a singer carry over a band."""
    hz = np.arange(logs.shape[1]) * VOICE_RATE / FFT
    ring = 4 * np.exp(-(((hz - 3000) / 700) ** 2)) + 3 * np.clip((hz - 5000) / 3000, 0, 1) - 12 * np.exp(-hz / 60)
    return logs + np.log(10) / 10 * ring


def harmonics(logs: np.ndarray, voiced: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """Sum the partials of the voice with the level and phase of a minimum-phase vocal tract."""
    cepstrum = np.fft.irfft(logs / 2, axis=1)
    cepstrum[:, 1 : FFT // 2] *= 2
    cepstrum[:, FFT // 2 + 1 :] = 0
    tract = np.fft.rfft(cepstrum, axis=1)
    frame_at = np.arange(FRAMES)
    times = np.minimum(np.arange(LENGTH) / HOP, FRAMES - 1.001)
    turn = np.cumsum(np.interp(times, frame_at, pitch)) / RATE
    voice = np.zeros(LENGTH)
    for number in range(1, 40):
        hz = number * pitch
        place = np.minimum(hz * FFT / VOICE_RATE, FFT // 2 - 1.001)
        low, part = place.astype(int), place % 1
        value = (1 - part) * tract[frame_at, low] + part * tract[frame_at, low + 1]
        # Breath replaces the top partials: a voice with clean ones up there buzzes.
        clean = np.sqrt(1 - breathiness(hz) ** 2) * (hz < VOICE_RATE / 2 - 600)
        gain = 2 * np.exp(value.real) * np.sqrt(pitch / VOICE_RATE) * voiced * clean
        spin = np.interp(times, frame_at, np.unwrap(value.imag))
        voice += np.interp(times, frame_at, gain) * np.cos(2 * np.pi * (number * turn % 1) + spin)
    return voice


def breathiness(hz: np.ndarray) -> np.ndarray:
    """Return the amplitude share of noise in a voiced sound."""
    return 0.03 + 0.72 * np.clip((hz - 2500) / 5000, 0, 1)


def breath(logs: np.ndarray, voiced: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Filter noise with the envelopes: all of the unvoiced sounds, and the air in the voiced ones."""
    hz = np.arange(FFT + 1) * RATE / (2 * FFT)
    share = np.sqrt(1 - voiced[:, None] ** 2 * (1 - breathiness(hz) ** 2))
    # espeak-ng ends at 11 kHz; continue its top with a slope so that the consonants do not sound dull.
    top = FFT // 2 - 40
    slope = np.minimum(0, -0.9 * (hz[top:] - hz[top]) / 1000)
    full = np.concatenate([logs[:, :top], logs[:, top - 20 : top].mean(axis=1, keepdims=True) + slope], axis=1)
    _, _, spectrum = stft(rng.standard_normal(FRAMES * HOP), nperseg=2 * HOP, noverlap=HOP, nfft=2 * FFT)
    count = min(spectrum.shape[1], FRAMES)
    shaped = spectrum[:, :count] * (share * np.exp(full / 2))[:count].T
    _, noise = istft(shaped, nperseg=2 * HOP, noverlap=HOP, nfft=2 * FFT)
    return np.pad(noise, (0, max(0, LENGTH - len(noise))))[:LENGTH]


def sing(seed: int) -> np.ndarray:
    """Return one dry mono take of the whole song."""
    rng = np.random.default_rng(seed)
    logs, voiced = articulate()
    logs = polish(logs)
    take = harmonics(logs, voiced, melody_contour(rng)) + breath(logs, voiced, rng)
    active = uniform_filter1d((logs.max(axis=1) > -20).astype(float), 9) > 0
    return take * np.interp(np.arange(LENGTH) / HOP, np.arange(FRAMES), gaussian_filter1d(active.astype(float), 2))


def produce_vocals() -> np.ndarray:
    """Lead in the middle, two quiet doubles at the sides, a compressor and a short hall."""
    stereo = np.zeros((LENGTH, 2))
    add_at(stereo, sing(1), 0)
    for seed, side, delay in [(2, -0.8, 0.013), (3, 0.8, 0.019)]:
        add_at(stereo, sing(seed), delay * RATE, 0.14, side)
    stereo = sosfilt(butter(2, 130, "high", fs=RATE, output="sos"), stereo, axis=0)
    level = np.sqrt(np.maximum(uniform_filter1d(np.mean(stereo**2, axis=1), RATE // 20), 1e-12))
    squeeze = np.maximum(level / (0.5 * level.max()), 0.25) ** -0.4
    stereo *= gaussian_filter1d(squeeze, 400)[:, None]
    return stereo + 0.16 * reverb(stereo, 1.3, 7)


# ---- The band ------------------------------------------------------------------------------------------------------


def decay(seconds: float, half_life: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the time axis of a sound and its exponential decay with a click-free start and end."""
    time = np.arange(int(seconds * RATE)) / RATE
    return time, 0.5 ** (time / half_life) * np.clip(time / 0.002, 0, 1) * np.clip((seconds - time) / 0.01, 0, 1)


def noise_hit(seconds: float, half_life: float, band: list[float], seed: int) -> np.ndarray:
    time, fall = decay(seconds, half_life)
    noise = np.random.default_rng(seed).standard_normal(len(time))
    return sosfilt(butter(2, band, "band", fs=RATE, output="sos"), noise) * fall


def kick() -> np.ndarray:
    time, fall = decay(0.4, 0.06)
    thump = np.sin(2 * np.pi * (48 * time - 4.2 * np.exp(-time / 0.035)))
    return thump * fall + 0.1 * noise_hit(0.4, 0.004, [2000, 6000], 1)


def snare(seed: int) -> np.ndarray:
    time, fall = decay(0.3, 0.035)
    body = np.sin(2 * np.pi * (182 * time - 0.6 * np.exp(-time / 0.02)))
    return 0.6 * body * fall + 0.75 * noise_hit(0.3, 0.045, [1200, 9000], seed)


def bass(note: str, seconds: float) -> np.ndarray:
    time, fall = decay(seconds, 0.5)
    partials = sum(np.sin(2 * np.pi * k * hertz(note) * time) * 0.5 ** (time * k * 1.5) / k**1.5 for k in range(1, 9))
    return np.tanh(1.3 * partials * fall)


@cache
def pluck(note: str) -> np.ndarray:
    """Play a Karplus-Strong string: a burst of noise circling in a slightly damped delay line."""
    period = RATE / hertz(note) - 0.5
    whole, part = int(period), period % 1
    burst = np.random.default_rng(whole).uniform(-1, 1, whole)
    burst = lfilter([0.35], [1, -0.65], burst - burst.mean())
    loop = 0.996 * np.convolve([1 - part, part], [0.5, 0.5])
    string = lfilter([1.0], np.concatenate([[1], np.zeros(whole - 1), -loop]), np.pad(burst, (0, int(1.6 * RATE))))
    return string / np.abs(string).max() * np.clip(np.arange(len(string), 0, -1) / 4000, 0, 1)


def bell(note: str) -> np.ndarray:
    time, fall = decay(1.6, 0.28)
    hz = hertz(note)
    return np.sin(2 * np.pi * hz * time + 1.1 * 0.5 ** (time / 0.12) * np.sin(2 * np.pi * 3 * hz * time)) * fall


def pad(note: str, seconds: float, seed: int) -> np.ndarray:
    """Return a soft detuned string sound."""
    time = np.arange(int((seconds + 0.5) * RATE)) / RATE
    swell = np.clip(time / 0.3, 0, 1) * np.clip((seconds + 0.5 - time) / 0.5, 0, 1)
    rng, sound = np.random.default_rng(seed), np.zeros(len(time))
    for detune in (-0.0035, 0.0, 0.004):
        for k in range(1, 10):
            sound += np.sin(2 * np.pi * (k * hertz(note) * (1 + detune) * time + rng.uniform())) / k**1.7
    return sound * swell


def play_drums(track: np.ndarray) -> None:
    rng = np.random.default_rng(11)
    for bar in range(10):
        for half in range(8):
            start = bar * BAR + half * BEAT / 2 + rng.normal(0, 60) + 120
            hat = noise_hit(0.3, 0.09 if half == 7 else 0.022, [6500, 15000], bar * 8 + half)
            add_at(track, hat, start, (0.2 if half % 2 else 0.13) * rng.uniform(0.85, 1.1), 0.35)
        if bar == 0:
            continue
        for beat in (0, 1.5, 2, 3.5) if bar % 2 else (0, 2, 2.5):
            add_at(track, kick(), bar * BAR + beat * BEAT, 0.8)
        for beat in (1, 3):
            add_at(track, snare(bar), bar * BAR + beat * BEAT, 0.42, -0.08)
    for bar in (0, 4, 5, 9):
        for i, beat in enumerate((3, 3.5, 3.75)):
            add_at(track, snare(50 + i), bar * BAR + beat * BEAT, 0.16 + 0.08 * i, -0.08)
    for bar in (1, 6, 10):
        add_at(track, noise_hit(3.0, 0.3, [3500, 14000], bar), bar * BAR, 0.13, -0.4)
    add_at(track, kick(), 10 * BAR, 0.8)


def play_chords(track: np.ndarray, wet: np.ndarray) -> None:
    rng = np.random.default_rng(12)
    for half, name in enumerate(BARS.split()):
        root, *voices = CHORDS[name].split()
        start, last = half * BAR // 2, half >= 20
        for i, note in enumerate(voices):
            add_at(wet, pad(note, 2 * BEAT / RATE, 100 * half + i), start, 0.04, (-0.7, 0.0, 0.7)[i])
            if last:
                add_at(wet, pluck(note), start + 1200 * i, 0.3 * (half == 20), -0.4)
        if not last:
            for step, i in enumerate((0, 2, 1, 2)):
                late, loud = 200 + rng.normal(0, 90), 0.44 * rng.uniform(0.85, 1.1)
                add_at(wet, pluck(voices[i]), start + step * BEAT / 2 + late, loud, -0.45 + 0.25 * i)
        if last or half < 2:
            add_at(track, bass(root, 2 * (1 + last) * BEAT / RATE), start, 0.36 * (half != 21))
            continue
        for beat, length in ((0, 1.4), (1.5, 0.45)):
            add_at(track, bass(root, length * BEAT / RATE), start + beat * BEAT, 0.36)


def play_band() -> np.ndarray:
    dry, wet = np.zeros((LENGTH, 2)), np.zeros((LENGTH, 2))
    play_drums(dry)
    play_chords(dry, wet)
    for bar, beat, note in (entry.split() for entry in BELL.split(",")):
        add_at(wet, bell(note), int(bar) * BAR + float(beat) * BEAT, 0.15, 0.3)
    mix = dry + wet + 0.22 * reverb(wet + 0.25 * dry, 1.6, 8)
    # Soft clipping tames the drum peaks; it is part of the stem, so the sum with the voice stays exact.
    return np.tanh(0.9 * mix) * np.clip((LENGTH - np.arange(LENGTH)) / 20000, 0, 1)[:, None]


# ---- The mix, its files and its checks -----------------------------------------------------------------------------


def rms_db(audio: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(audio**2)))


def voiced_span(vocals: np.ndarray) -> np.ndarray:
    level = uniform_filter1d(np.mean(vocals**2, axis=1), RATE // 10)
    return level > level.max() * 1e-3


def balance(vocals: np.ndarray, band: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both stems as whole 16-bit steps: voice 1 dB above the band where it sings, mixture peak at -1 dBFS."""
    span = voiced_span(vocals)
    vocals = vocals * 10 ** ((1 + rms_db(band[span]) - rms_db(vocals[span])) / 20)
    gain = 32767 * 10 ** (-1 / 20) / np.abs(vocals + band).max()
    return np.round(gain * vocals).astype(int), np.round(gain * band).astype(int)


def pitch_error(vocals: np.ndarray) -> tuple[float, float]:
    """Return the median and the 90th percentile of the error in cents on notes held for 0.4 s or more."""
    mono = librosa.resample(vocals.mean(axis=1), orig_sr=RATE, target_sr=VOICE_RATE)
    found, sure, _ = librosa.pyin(mono, fmin=150, fmax=700, sr=VOICE_RATE, frame_length=1024, hop_length=VOICE_HOP)
    errors = []
    for _, note, start, length in (note for line in sung_notes() for note in line if note[3] * HOP > 0.4 * RATE):
        inner = slice(start + 20, start + length - 30)
        errors.extend(1200 * np.log2(found[inner][sure[inner]] / librosa.midi_to_hz(note)))
    return float(np.median(np.abs(errors))), float(np.percentile(np.abs(errors), 90))


def cover(side: int = 160) -> bytes:
    """Draw a glowing lantern on a night sky and return it as PNG."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    rows = np.stack([18 + 14 * (y + 1), 22 + 10 * (y + 1), 58 + 18 * (y + 1)], axis=-1)
    rows += np.exp(-2.2 * np.hypot(x, y + 0.1))[..., None] * [150, 85, 10]
    body = np.hypot(x / (0.42 - 0.06 * (y + 0.1)), (y + 0.1) / 0.5) < 1
    rows[body] = ([250, 175, 70] - np.abs(x)[..., None] * [60, 120, 90] + 12 * np.cos(30 * y)[..., None])[body]
    for top in (-0.6, 0.36):
        rows[(np.abs(x) < 0.18) & (np.abs(y - top) < 0.035)] = [110, 40, 30]
    rows[(np.abs(x) < 0.012) & ((y < -0.6) | ((y > 0.36) & (y < 0.7)))] = [200, 90, 60]
    rows[y > 0.86 + 0.03 * np.sin(9 * x)] = [12, 16, 36]
    pixels = (np.clip(rows, 0, 255) // 4 * 4).astype(np.uint8)
    data = b"".join(b"\x00" + row.tobytes() for row in pixels)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")


def write_vorbis(path: Path, audio: np.ndarray, quality: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # In small blocks: libsndfile's Vorbis encoder overflows its stack when handed a whole song at once.
    with sf.SoundFile(path, "w", RATE, 2, format="OGG", subtype="VORBIS", compression_level=1 - quality) as file:
        for start in range(0, len(audio), RATE):
            file.write(audio[start : start + RATE] / 32768)


def fix_serial(path: Path) -> None:
    """Replace libsndfile's random stream number, so that two runs give equal files."""
    source, fixed = io.BytesIO(path.read_bytes()), bytearray()
    while source.tell() < path.stat().st_size:
        page = OggPage(source)
        page.serial = 1
        fixed += page.write()
    path.write_bytes(fixed)


def tag(path: Path) -> None:
    picture = Picture()
    picture.data, picture.type, picture.mime, picture.desc = cover(), 3, "image/png", "Cover"
    picture.width = picture.height = 160
    picture.depth = 24
    song = OggVorbis(path)
    song.update(
        {
            "title": "Paper Lantern",
            "artist": "vocalsep",
            "album": "vocalsep examples",
            "date": "2026",
            "comment": "Made by examples/make_song.py; licence: CC0 1.0",
            "metadata_block_picture": base64.b64encode(picture.write()).decode(),
        }
    )
    song.save()


def main() -> int:
    parser = argparse.ArgumentParser(description="Render the demo song (needs espeak-ng).")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write into")
    out = parser.parse_args().out
    if shutil.which("espeak-ng") is None:
        print("make_song.py needs the program espeak-ng (for example: apt install espeak-ng)", file=sys.stderr)
        return 2
    vocals, band = balance(produce_vocals(), play_band())
    mixture = vocals + band
    jobs = [
        ("song.ogg", mixture, 0.55),
        ("song-stems/vocals.ogg", vocals, 0.4),
        ("song-stems/accompaniment.ogg", band, 0.45),
    ]
    for name, audio, quality in jobs:
        write_vorbis(out / name, audio, quality)
        if audio is mixture:
            tag(out / name)
        fix_serial(out / name)
        print(f"{name}: {(out / name).stat().st_size} bytes, {len(audio)} samples")
    span = voiced_span(vocals / 32768)
    print(f"voice over band: {rms_db(vocals[span]) - rms_db(band[span]):.2f} dB over {span.mean():.0%} of the song")
    print(f"mixture peak: {20 * np.log10(np.abs(mixture).max() / 32768):.2f} dBFS")
    print("pitch error on held notes: median {:.1f}, 90th percentile {:.1f} cents".format(*pitch_error(vocals / 32768)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
