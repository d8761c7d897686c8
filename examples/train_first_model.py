#!/usr/bin/env python3
"""Train the plain Deep U-Net that ships as models/default.safetensors.

    python examples/train_first_model.py --data ../shared/data --instrumentals INSTRUMENTALS --out RUN

Batches are mixed on the fly from clean stems: songs with true stems (MUSDB18's 7-second excerpts, full songs, MIR-1K)
and solo voices over instrumental music. A run can be stopped at any moment and started again with the same command;
it goes on from its last checkpoint. RUN/model.safetensors is what `vocalsep split --model` takes.
"""

import argparse
import copy
import csv
import dataclasses
import os
import pathlib
import time

import av
import librosa
import numpy as np
import scipy.signal
import soxr
import torch

from vocalsep import checkpoint
from vocalsep.config import FrontEndConfig, ModelConfig, UNetConfig
from vocalsep.stft import frame_count, istft, stft
from vocalsep.unet import UNet, relative_level

RATE = 44100
PATCH_FRAMES = 256
INSTRUMENTAL_S = 45.0
LICENCE = "MIT, as far as it is ours to give; some of the training data is for research only (see the card)"
TRAINED_ON = (
    "MUSDB18 7-second excerpts (80 songs), Everything Is Free (4 songs), MIR-1K (7 singers), solo voices (about 80 "
    "singers), instrumental music from Debian packages"
)
# The 14 songs that musdb itself names as validation (musdb/configs/mus.yaml).
MUSDB_VALIDATION = """
Actions - One Minute Smile|Clara Berry And Wooldog - Waltz For My Victims|Johnny Lokke - Promises & Lies
Patrick Talbot - A Reason To Leave|Triviul - Angelsaint|Alexander Ross - Goodbye Bolero|Fergessen - Nos Palpitants
Leaf - Summerghost|Skelpolu - Human Mistakes|Young Griffo - Pennies|ANiMAL - Rockshow|James May - On The Line
Meaxic - Take A Step|Traffic Experiment - Sirens
"""
# Solo singers that no training here may hear, kept for later validation.
VOICES_HELD_OUT = ("saebyulgan", "techsinger", "r9y9_nnsvs")


@dataclasses.dataclass
class Sound:
    """16-bit samples (channels, samples) at 44.1 kHz and the frequency in Hz up to which they hold anything."""

    samples: np.ndarray
    band: float


@dataclasses.dataclass
class Song:
    """The two stems of one song, equally long."""

    vocals: Sound
    accompaniment: Sound


def to_int16(samples):
    return np.clip(np.round(samples * 32767), -32768, 32767).astype(np.int16)


def read(path, seconds=None):
    """Decode a file, resampled to 44.1 kHz; of a long one `seconds` from its middle."""
    duration = librosa.get_duration(path=path)
    offset = max(0.0, (duration - seconds) / 2) if seconds else 0.0
    rate = librosa.get_samplerate(path)
    samples, _ = librosa.load(path, sr=None, mono=False, offset=offset, duration=seconds)
    samples = np.atleast_2d(samples)[:2]
    if rate != RATE:
        samples = soxr.resample(samples.T, rate, RATE).T
    return Sound(to_int16(samples), min(rate, RATE) / 2)


def read_stems(path):
    """Decode vocals and accompaniment of a MUSDB18 `.stem.mp4` (streams: mixture, drums, bass, other, vocals)."""
    stems = []
    for stream in range(1, 5):
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray() for frame in container.decode(audio=stream)]
        stems.append(np.concatenate(frames, axis=1))
    length = min(stem.shape[1] for stem in stems)
    drums, bass, other, vocals = (stem[:, :length] for stem in stems)
    # halved, so that the sum of three stems fits 16 bits
    return Song(Sound(to_int16(vocals / 2), RATE / 2), Sound(to_int16((drums + bass + other) / 2), RATE / 2))


def musdb_songs(data):
    validation = set(MUSDB_VALIDATION.strip().replace("\n", "|").split("|"))
    train, valid = [], []
    for path in sorted((data / "musdb18-7s/train").glob("*.stem.mp4")):
        (valid if path.name.removesuffix(".stem.mp4") in validation else train).append(path)
    assert len(valid) == len(validation), "a validation song is missing"
    return train, valid


def read_song(folder):
    return Song(read(folder / "vocals.ogg"), read(folder / "accompaniment.ogg"))


class Mixer:
    """Makes training examples: the same seed and step always give the same batch."""

    def __init__(self, data, instrumentals, seed):
        self.seed = seed
        self.musdb = [read_stems(path) for path in musdb_songs(data)[0]]
        full = sorted(data.glob("everythingisfree/*"))
        self.full = [read_song(folder) for folder in full if folder.name != "7.Francium"]
        self.mir1k = [read_song(folder) for folder in sorted(data.glob("mir1k/train/*"))]
        voices = [p for p in sorted(data.glob("voices/*/*.*")) if p.parent.name not in VOICES_HELD_OUT]
        self.voices = [read(path) for path in voices]
        music = [p for p in sorted(instrumentals.glob("*/*")) if p.suffix in (".ogg", ".mp3", ".flac", ".wav")]
        self.music = [read(path, INSTRUMENTAL_S) for path in music]
        self.voice_odds = np.array([len(v.samples[0]) for v in self.voices], float) ** 0.5
        self.voice_odds /= self.voice_odds.sum()

    def report(self):
        def minutes(sounds):
            return sum(s.samples.shape[1] for s in sounds) / RATE / 60

        for name in ("musdb", "full", "mir1k"):
            print(
                f"{name}: {len(getattr(self, name))} songs, {minutes([s.vocals for s in getattr(self, name)]):.1f} min"
            )
        for name in ("voices", "music"):
            print(f"{name}: {len(getattr(self, name))} files, {minutes(getattr(self, name)):.1f} min", flush=True)

    def song(self, rng, odds):
        family = (self.musdb, self.full, self.mir1k)[rng.choice(3, p=odds)]
        return family[rng.integers(len(family))]

    def excerpts(self, rng, sounds, length):
        """The same random place of equally long sounds, (2, length) each; perhaps at another speed."""
        speed = rng.uniform(0.9, 1.1) if rng.random() < 0.5 else 1.0
        wanted = int(length * speed) + 1
        total = sounds[0].samples.shape[1]
        start = int(rng.integers(max(1, total - wanted + 1)))
        swap = rng.random() < 0.5
        cut = []
        for sound in sounds:
            piece = sound.samples[:, start : start + wanted].astype(np.float32) / 32768
            if speed != 1.0:
                piece = soxr.resample(piece.T, RATE * speed, RATE, "LQ").T
            piece = np.repeat(piece, 2, 0) if len(piece) == 1 else piece
            piece = piece[::-1] if swap else piece
            late = 0 if piece.shape[1] >= length else int(rng.integers(length - piece.shape[1] + 1))
            out = np.zeros((2, length), np.float32)
            out[:, late : late + piece.shape[1]] = piece[:, :length]
            cut.append(out)
        return cut

    def reverberate(self, rng, voice):
        """A dry voice in a random room: exponentially decaying noise, different left and right."""
        decay = rng.uniform(0.2, 1.5)
        tail = rng.standard_normal((2, int(decay * RATE))).astype(np.float32)
        tail *= np.exp(-6.9 * np.arange(tail.shape[1]) / tail.shape[1]).astype(np.float32)
        tail /= np.sqrt((tail**2).sum(1, keepdims=True))
        wet = scipy.signal.oaconvolve(voice, tail, axes=1)[:, : voice.shape[1]].astype(np.float32)
        return voice + wet * 10 ** (rng.uniform(-20, -3) / 20)

    def example(self, rng, length):
        """Vocals and accompaniment, (2, length) each, and the frequency up to which the vocals are true."""
        if rng.random() < 0.25:
            voice = self.voices[rng.choice(len(self.voices), p=self.voice_odds)]
            (vocals,) = self.excerpts(rng, [voice], length)
            vocals = vocals * rng.uniform(0.7, 1.0, (2, 1)).astype(np.float32)
            vocals = self.reverberate(rng, vocals) if rng.random() < 0.7 else vocals
            band, own = voice.band, None
        else:
            song = self.song(rng, (0.62, 0.18, 0.20))
            vocals, own = self.excerpts(rng, [song.vocals, song.accompaniment], length)
            band = song.vocals.band
        if own is not None and rng.random() < 0.5:
            accompaniment = own * 10 ** (rng.normal(0, 2.5) / 20)
        else:
            if rng.random() < 0.45:
                (accompaniment,) = self.excerpts(rng, [self.music[rng.integers(len(self.music))]], length)
            else:
                (accompaniment,) = self.excerpts(rng, [self.song(rng, (0.8, 0.15, 0.05)).accompaniment], length)
            loudness = [np.sqrt((x**2).mean()) for x in (vocals, accompaniment)]
            if min(loudness) > 1e-4:
                vocals = vocals * (loudness[1] / loudness[0]) * 10 ** (rng.normal(-3, 5) / 20)
        fate = rng.random()
        if fate < 0.08:
            vocals = np.zeros_like(vocals)
        elif fate < 0.12:
            accompaniment = np.zeros_like(accompaniment)
        return vocals, accompaniment, band if fate >= 0.08 else RATE / 2

    def batch(self, step, size, length):
        rng = np.random.default_rng((self.seed, step))
        made = [self.example(rng, length) for _ in range(size)]
        vocals, accompaniment = (torch.from_numpy(np.stack([m[i] for m in made])) for i in (0, 1))
        return vocals.float(), accompaniment.float(), torch.tensor([m[2] for m in made])


def spectra(vocals, mixture, config):
    """Magnitudes of vocals and mixture, (batch, 2, bins, PATCH_FRAMES); the outer frames hear padding and go."""
    both = stft(torch.stack([vocals, mixture]), config).abs()
    return both[0, :, :, : config.bins, 3:-3], both[1, :, :, : config.bins, 3:-3]


def loss_of(network, vocals, mixture, band, config):
    """L1 between masked mixture and vocals, on the scale of the mixture's local level, where the vocals are true."""
    target, heard = spectra(vocals, mixture, config)
    scaled = relative_level(heard, network.config.level_frames)
    target = target * scaled / (heard + 1e-8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mask = network(heard.contiguous(memory_format=torch.channels_last))
    hertz = torch.arange(config.bins) * config.sample_rate / config.n_fft
    weight = (hertz[None] < band[:, None] * 0.98)[:, None, :, None]
    return ((mask.float() * scaled - target).abs() * weight).mean()


@torch.inference_mode()
def validate(network, songs, config):
    """Mean uSDR in dB (one ratio a song, as the Music Demixing Challenge) of vocals and of accompaniment."""
    network.eval()
    scores = []
    for song in songs:
        vocals, accompaniment = (torch.from_numpy(s.samples / 32768).float() for s in (song.vocals, song.accompaniment))
        mixture = vocals + accompaniment
        spectrum = stft(mixture, config)
        frames = spectrum.shape[2]
        stride = network.config.stride
        heard = torch.nn.functional.pad(spectrum.abs()[None, :, : config.bins], (0, -frames % stride))
        mask = network(heard)[0, :, :, :frames]
        above = mask[:, -config.bins // 8 :].mean(1, keepdim=True).expand(-1, config.all_bins - config.bins, -1)
        estimate = istft(spectrum * torch.cat([mask, above], 1), config, mixture.shape[1])
        pairs = ((vocals, estimate), (accompaniment, mixture - estimate))
        scores.append([10 * torch.log10(t.square().sum() / (t - e).square().sum()).item() for t, e in pairs])
    network.train()
    return np.mean(scores, axis=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--instrumentals", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    config = ModelConfig(FrontEndConfig(), UNetConfig())
    front = config.front_end
    length = (PATCH_FRAMES + 6) * front.hop - (front.n_fft - front.hop)
    assert frame_count(length, front) == PATCH_FRAMES + 6
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    network = UNet(config.network).to(memory_format=torch.channels_last).train()
    average = copy.deepcopy(network).eval()
    optimizer = torch.optim.Adam(network.parameters(), lr=args.lr)
    state_file = args.out / "last.pt"
    step, spent = 0, 0.0
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"])
        step, spent = state["step"], state["spent"]
    mixer = Mixer(args.data, args.instrumentals, args.seed)
    mixer.report()
    valid = [read_stems(path) for path in musdb_songs(args.data)[1]]

    started, losses = time.monotonic(), []
    while step < args.steps:
        warm = min(1.0, (step + 1) / 100)
        for group in optimizer.param_groups:
            group["lr"] = args.lr * warm * 0.5 * (1 + np.cos(np.pi * step / args.steps))
        vocals, accompaniment, band = mixer.batch(step, args.batch_size, length)
        loss = loss_of(network, vocals, vocals + accompaniment, band, front)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
        losses.append(loss.item())
        with torch.no_grad():
            decay = min(0.999, (1 + step) / (10 + step))
            for slow, fast in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
                slow.lerp_(fast, 1 - decay) if slow.is_floating_point() else slow.copy_(fast)
        if step % 200 == 0 or step == args.steps:
            elapsed = spent + time.monotonic() - started
            vocals_sdr, accompaniment_sdr = validate(average, valid, front)
            row = [step, f"{elapsed:.0f}", f"{np.mean(losses):.5f}", f"{vocals_sdr:.3f}", f"{accompaniment_sdr:.3f}"]
            print("step {} {} s loss {} vocals {} dB accompaniment {} dB".format(*row), flush=True)
            with (args.out / "log.csv").open("a", newline="") as log:
                csv.writer(log).writerow(row)
            losses = []
            state = {"network": network.state_dict(), "average": average.state_dict(), "step": step, "spent": elapsed}
            state |= {"optimizer": optimizer.state_dict(), "rng": torch.get_rng_state()}
            torch.save(state, state_file.with_suffix(".part"))
            os.replace(state_file.with_suffix(".part"), state_file)
            card = {
                "licence": LICENCE,
                "trained_on": TRAINED_ON,
                "steps": step,
                "batch_size": args.batch_size,
                "figures": {
                    "MUSDB18 validation vocals uSDR dB": round(float(vocals_sdr), 2),
                    "MUSDB18 validation accompaniment uSDR dB": round(float(accompaniment_sdr), 2),
                },
            }
            checkpoint.save(args.out / "model.safetensors", average, config, card)


if __name__ == "__main__":
    main()
