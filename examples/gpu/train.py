#!/usr/bin/env python3
"""Train a network on a GPU, in runs of a few minutes that go on where the last one ended.

    python train.py PARTS RUN --recipe small.toml --minutes 9 --of-minutes 11

PARTS is a folder with what pack.py wrote. Training begins with the parts that are there; one that arrives later is used
as soon as it is decoded, so it must appear whole (moved into the folder, not copied). RUN keeps the state; RUN/out gets
what is worth bringing back: model.safetensors (averaged weights, with batch norm statistics measured for them, ready
for `vocalsep split --model` and `vocalsep export`), log.tsv, and the whole state in files of at most 15 MB each, from
which --resume-from goes on where RUN itself was lost. The state is written every --save-minutes, too.

The learning rate falls along a cosine over --of-minutes of training, whatever the speed of the machine. All samples lie
in the memory of the GPU as 16-bit integers, and examples are mixed there. Needs torch, numpy, scipy, safetensors and
soundfile. Without a GPU it works too, slowly: to try it.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import copy
import dataclasses
import io
import json
import math
import os
import pathlib
import queue
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vocalsep.dsp.exact_sum import STEMS
from vocalsep.dsp.metrics import usdr
from vocalsep.inference.streams import Streams
from vocalsep.inference.torch_backend import torch_backend
from vocalsep.model_files.checkpoint import save
from vocalsep.model_files.config import ModelConfig
from vocalsep.networks.network import MaskNetwork
from vocalsep.networks.table import build
from vocalsep.training.config import TrainingConfig, read_toml
from vocalsep.training.forward import estimates
from vocalsep.training.losses import parse
from vocalsep.training.norms import measure_statistics

SHARD_BYTES = 15_000_000
STATISTICS_BATCHES = 8
LOG_EVERY = 50
# Steps whose batches are mixed together: mixing starts many small operations, whatever the number of examples.
STEPS_PER_MIX = 4
# Seconds that the end of a run takes: statistics, validation, files.
CLOSING_S = 25.0
LOOK_EVERY_S = 1.0


def decoded(data: bytes, samples: int) -> np.ndarray:
    """Decode one Ogg Opus file to int16 (2, samples)."""
    import soundfile

    sound = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)[0].T
    sound = np.repeat(sound, 2, axis=0) if sound.shape[0] == 1 else sound
    whole = np.zeros((2, samples), np.int16)
    length = min(samples, sound.shape[1])
    whole[:, :length] = sound[:, :length]
    return whole


@dataclasses.dataclass
class Part:
    """The sounds of one file: entries with ``offsets`` into ``samples``, int16 (2, total)."""

    entries: list[dict[str, Any]]
    samples: np.ndarray

    @classmethod
    def load(cls, path: pathlib.Path) -> Part:
        """Decode a file that pack.py wrote."""
        with tarfile.open(path) as tar:
            files = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}  # type: ignore[union-attr]
        entries: list[dict[str, Any]] = []
        jobs: list[tuple[bytes, int]] = []
        total = 0
        for number, entry in enumerate(json.loads(files["index.json"])):
            offsets = {}
            for stem, samples in entry["samples"].items():
                offsets[stem] = total
                jobs.append((files[f"{number:05}.{stem}.opus"], samples))
                total += samples
            entries.append({**entry, "offsets": offsets, "length": min(entry["samples"].values())})
        # libsndfile decodes without Python's lock, so threads are enough.
        with concurrent.futures.ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
            return cls(entries, np.concatenate(list(pool.map(decoded, *zip(*jobs, strict=True))), axis=1))


class Arrivals:
    """Decodes the parts of a folder in a thread, also those that appear while it runs.

    Raises
    ------
    Exception
        From `next_part`: what went wrong with a part.
    """

    def __init__(self, folder: pathlib.Path):
        self._folder = folder
        self._parts: queue.Queue[Part | Exception] = queue.Queue()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        known: set[pathlib.Path] = set()
        while True:
            for path in sorted(set(self._folder.glob("part-*.tar")) - known):
                known.add(path)
                try:
                    self._parts.put(Part.load(path))
                except Exception as error:
                    self._parts.put(error)
            time.sleep(LOOK_EVERY_S)

    def next_part(self, wait: bool = False) -> Part | None:
        """Return a part that is decoded; None if there is none yet, unless `wait` says to wait for one."""
        try:
            part = self._parts.get(block=wait)
        except queue.Empty:
            return None
        if isinstance(part, Exception):
            raise part
        return part


class Bank:
    """All sounds of some parts in the memory of a device.

    Attributes
    ----------
    samples : Tensor (2, total), int16
    entries : list of dict
        Of each sound: ``name``, ``kind``, ``band`` in Hz, ``length`` in samples, and ``offsets`` of its stems.
    """

    def __init__(self, device: torch.device):
        self.entries: list[dict[str, Any]] = []
        self.samples = torch.empty((2, 0), dtype=torch.int16, device=device)

    def add(self, part: Part) -> None:
        """Add the sounds of a part."""
        first = self.samples.shape[1]
        for entry in part.entries:
            offsets = {stem: first + offset for stem, offset in entry["offsets"].items()}
            self.entries.append({**entry, "offsets": offsets})
        self.samples = torch.cat([self.samples, torch.from_numpy(part.samples).to(self.samples.device)], dim=1)

    @property
    def hours(self) -> float:
        """Hours of all stems together."""
        return self.samples.shape[1] / 44100 / 3600

    def read(self, entry: int, stem: str) -> np.ndarray:
        """Return a whole stem (2, samples), float32."""
        start = self.entries[entry]["offsets"][stem]
        part = self.samples[:, start : start + self.entries[entry]["length"]]
        return part.float().cpu().numpy() / np.float32(32768)


class Mixer:
    """Mixes batches on the device; a step's batch depends on the seed, the step and the sounds alone."""

    def __init__(self, bank: Bank, config: TrainingConfig, weights: dict[str, float], device: torch.device):
        self.bank, self.config, self.device = bank, config, device
        self.length = config.example_samples
        self.folder_weights = weights
        self.loud: list[np.ndarray | None] = []
        self.voices = self.backings = np.zeros(0)
        self.mixed: tuple[int, tuple[Tensor, Tensor, Tensor]] | None = None

    def add(self, part: Part) -> None:
        """Add a part to the bank, and draw from it from now on."""
        self.bank.add(part)
        entries = self.bank.entries
        self.loud += [self._loudness(entry) for entry in entries[len(self.loud) :]]
        weights = np.array([self._weight(entry, self.folder_weights) for entry in entries])
        kinds = np.array([entry["kind"] for entry in entries])
        self.voices = self._share(weights * np.isin(kinds, ["song", "voice"]))
        self.backings = self._share(weights * np.isin(kinds, ["song", "instrumental"]))
        self.mixed = None

    def step_batch(self, step: int, size: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the batch of a step, see `batch`."""
        group, place = divmod(step, STEPS_PER_MIX)
        if self.mixed is None or self.mixed[0] != group:
            self.mixed = group, self.batch(group, size * STEPS_PER_MIX, seed)
        vocals, mixture, band = (tensor[place * size : (place + 1) * size] for tensor in self.mixed[1])
        return vocals, mixture, band

    @staticmethod
    def _weight(entry: dict[str, Any], weights: dict[str, float]) -> float:
        factor = next((weight for start, weight in weights.items() if entry["name"].startswith(start)), 1.0)
        return factor * math.sqrt(entry["length"])

    @staticmethod
    def _share(weights: np.ndarray) -> np.ndarray:
        return weights / max(weights.sum(), 1e-12)

    @property
    def ready(self) -> bool:
        """Whether there are voices and accompaniments."""
        return bool(self.voices.any() and self.backings.any())

    def _loudness(self, entry: dict[str, Any]) -> np.ndarray | None:
        """Return the RMS of the vocals in each second; of a sound without vocals nothing."""
        if "vocals" not in entry["offsets"]:
            return None
        start, seconds = entry["offsets"]["vocals"], max(1, entry["length"] // 44100)
        part = self.bank.samples[:, start : start + seconds * 44100].float() / 32768
        if part.shape[1] < 44100:
            return np.ones(1)
        return part[:, : seconds * 44100].reshape(2, seconds, 44100).square().mean((0, 2)).sqrt().cpu().numpy()

    def batch(self, number: int, size: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return vocals and mixture (batch, 2, samples), float32, and band (batch,) in Hz."""
        rng = np.random.default_rng((seed, number))
        mixing, entries = self.config.mixing, self.bank.entries
        vocal = rng.choice(len(entries), size, p=self.voices)
        other = rng.choice(len(entries), size, p=self.backings)
        own = np.array(["accompaniment" in entries[index]["offsets"] for index in vocal])
        own &= rng.random(size) >= mixing.remix
        backing = np.where(own, vocal, other)
        speed = np.where(rng.random(size) < mixing.speed, rng.uniform(*mixing.speed_range, size), 1.0)
        vocal_start = np.array([self._start(index, rng, True) for index in vocal])
        backing_start = np.where(own, vocal_start, [self._start(index, rng, False) for index in other])
        voices = self._gather(vocal, "vocals", vocal_start, speed)
        music = self._gather(backing, "accompaniment", backing_start, speed)
        voices, music = self._stereo(voices, rng), self._stereo(music, rng)
        voices = self._equalise(voices, rng, mixing.equalise)
        music = self._equalise(music, rng, mixing.equalise_accompaniment)

        level = lambda sound: sound.square().mean((1, 2)).clamp(min=1e-10).sqrt()  # noqa: E731
        wanted = torch.tensor(rng.normal(*mixing.balance_db, size), device=self.device, dtype=torch.float32)
        balanced = 10 ** (wanted / 20) * level(music) / level(voices)
        wobble = torch.tensor(rng.normal(0, mixing.own_balance_db, size), device=self.device, dtype=torch.float32)
        gain = torch.where(torch.tensor(own, device=self.device), 10 ** (wobble / 20), balanced.clamp(1e-3, 1e3))
        missing = rng.random(size)
        gain[torch.tensor(missing < mixing.no_vocals, device=self.device)] = 0
        silent = (missing >= mixing.no_vocals) & (missing < mixing.no_vocals + mixing.no_accompaniment)
        music[torch.tensor(silent, device=self.device)] = 0
        voices = voices * gain[:, None, None]
        whole = 10 ** (rng.uniform(*mixing.gain_db, size) / 20)
        # Mono recordings and tapes: one side is quieter, or silent.
        sides = np.ones((size, 2))
        one_sided = rng.random(size) < 0.05
        sides[one_sided, rng.integers(0, 2, size)[one_sided]] = 10 ** (-rng.uniform(6, 80, one_sided.sum()) / 20)
        scale = torch.tensor(whole[:, None] * sides, device=self.device, dtype=torch.float32)[:, :, None]
        voices, music = voices * scale, music * scale
        band = torch.tensor([entries[index]["band"] for index in vocal], device=self.device, dtype=torch.float32)
        return voices, voices + music, band

    def _start(self, index: int, rng: np.random.Generator, vocals: bool) -> int:
        entry = self.bank.entries[index]
        room = max(1, entry["length"] - self.length)
        start = int(rng.integers(room))
        loud = self.loud[index]
        for _ in range(3 if vocals and loud is not None else 0):
            first, last = start // 44100, (start + self.length) // 44100
            if loud[first : last + 1].max(initial=0) > 0.1 * loud.max():  # type: ignore[index]
                break
            start = int(rng.integers(room))
        return start

    def _gather(self, indices: np.ndarray, stem: str, starts: np.ndarray, speed: np.ndarray) -> Tensor:
        """Read an excerpt of each sound at its own speed (four-point interpolation); past its end there is silence."""
        entries, device = self.bank.entries, self.device
        offset = torch.tensor([entries[i]["offsets"][stem] for i in indices], device=device)
        length = torch.tensor([entries[i]["length"] for i in indices], device=device)
        time_ = torch.arange(self.length, device=device, dtype=torch.float64)
        position = torch.tensor(starts, device=device)[:, None] + time_ * torch.tensor(speed, device=device)[:, None]
        base = position.floor().long()
        x = (position - base).float()

        def at(shift: int) -> Tensor:
            inside = (base + shift).clamp(min=0)
            known = inside < length[:, None]
            samples = self.bank.samples[:, (offset[:, None] + torch.minimum(inside, length[:, None] - 1))]
            return samples.float().permute(1, 0, 2) / 32768 * known[:, None]

        if (speed == 1).all():
            return at(0)
        before, first, second, behind = at(-1), at(0), at(1), at(2)
        x = x[:, None]
        slope, curve = (second - before) / 2, before - 2.5 * first + 2 * second - behind / 2
        return first + x * (slope + x * (curve + x * ((behind - before) / 2 + 1.5 * (first - second))))

    def _stereo(self, sound: Tensor, rng: np.random.Generator) -> Tensor:
        mixing, size = self.config.mixing, sound.shape[0]
        width = np.where(rng.random(size) < mixing.narrow, rng.uniform(0, 1, size), 1.0)
        keep, cross = (1 + width) / 2, (1 - width) / 2
        swap = rng.random(size) < mixing.swap
        keep, cross = np.where(swap, cross, keep), np.where(swap, keep, cross)
        sign = np.where(rng.random(size) < mixing.polarity, -1, 1)
        matrix = np.stack([np.stack([keep, cross], -1), np.stack([cross, keep], -1)], -1) * sign[:, None, None]
        return torch.einsum("bij,bjn->bin", torch.tensor(matrix, device=self.device, dtype=torch.float32), sound)

    def _equalise(self, sound: Tensor, rng: np.random.Generator, share: float) -> Tensor:
        """Draw a smooth curve of up to 9 dB over frequency for some of the sounds."""
        size = sound.shape[0]
        chosen = np.flatnonzero(rng.random(size) < share)
        if not len(chosen):
            return sound
        knots = rng.normal(0, 3, (len(chosen), 1, 10)).clip(-9, 9)
        spectrum = torch.fft.rfft(sound[chosen])
        curve = torch.nn.functional.interpolate(
            torch.tensor(knots, device=self.device, dtype=torch.float32), 1024, mode="linear", align_corners=True
        )
        hertz = torch.linspace(0, 22050, spectrum.shape[-1], device=self.device)
        octave = (hertz.clamp(min=40) / 40).log2() / math.log2(22050 / 40)
        gain = 10 ** (curve[:, :, (octave * 1023).round().long()] / 20)
        sound = sound.clone()
        sound[chosen] = torch.fft.irfft(spectrum * gain, n=sound.shape[-1])
        return sound


class Run:
    """A training run: network, averaged weights, optimizer, and how far it is."""

    def __init__(self, config: TrainingConfig, device: torch.device, decay: float, fused: bool):
        self.config, self.device, self.decay = config, device, decay
        torch.manual_seed(config.training.seed)
        network = build(config.model.architecture, config.model.network)
        assert isinstance(network, MaskNetwork)
        self.network = network.to(device).to_channels_last()
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        settings = config.training
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay, fused=fused
        )
        self.step, self.seconds = 0, 0.0

    def state(self) -> dict[str, Tensor]:
        """Return all tensors of the run by name; second moments and weights in 32 bits, the rest in 16."""
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"average.{name}": value.half() for name, value in self._weights(self.average)}
        for index, parameter in enumerate(self.network.parameters()):
            moments = self.optimizer.state.get(parameter, {})
            if moments:
                tensors[f"first.{index}"] = moments["exp_avg"].bfloat16()
                tensors[f"second.{index}"] = moments["exp_avg_sq"].bfloat16()
        return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}

    def begin_with(self, weights: dict[str, Tensor]) -> None:
        """Begin with the weights of a model."""
        for network in (self.network, self.average):
            network.load_state_dict(weights)

    def load(self, tensors: dict[str, Tensor], step: int, seconds: float) -> None:
        """Go on from `state`."""
        part = lambda start: {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}  # noqa: E731
        self.network.load_state_dict(part("network."))
        self.average.load_state_dict(part("average."), strict=False)
        first, second = part("first."), part("second.")
        for index, parameter in enumerate(self.network.parameters()):
            if str(index) in first:
                self.optimizer.state[parameter] = {
                    "step": torch.tensor(
                        float(step), device=self.device if self.optimizer.defaults["fused"] else "cpu"
                    ),
                    "exp_avg": first[str(index)].to(parameter),
                    "exp_avg_sq": second[str(index)].to(parameter),
                }
        self.step, self.seconds = step, seconds

    @staticmethod
    def _weights(network: torch.nn.Module) -> Iterator[tuple[str, Tensor]]:
        return ((name, value) for name, value in network.state_dict().items() if value.is_floating_point())

    @torch.no_grad()
    def follow(self) -> None:
        """Move the averaged weights towards the network's."""
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        pairs = zip(self._weights(self.average), self._weights(self.network), strict=True)
        slow, fast = zip(*((a[1], b[1]) for a, b in pairs), strict=True)
        torch._foreach_lerp_(list(slow), list(fast), 1 - decay)

    def rate(self, done: float) -> float:
        """Return the learning rate when a share `done` of the whole time is over."""
        settings = self.config.training
        cosine = settings.final_lr + (1 - settings.final_lr) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        return settings.lr * min(1.0, (self.step + 1) / max(1, settings.warmup)) * cosine


def write_state(folder: pathlib.Path, run: Run) -> None:
    """Write the state in files of at most `SHARD_BYTES`, each of them atomically."""
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, value in run.state().items():
        size += value.numel() * value.element_size()
        if size > SHARD_BYTES and shards[-1]:
            shards.append({})
            size = value.numel() * value.element_size()
        shards[-1][name] = value
    for number, shard in enumerate(shards):
        path = folder / f"state-{number}.safetensors"
        metadata = {"step": str(run.step), "seconds": str(run.seconds), "shards": str(len(shards))}
        save_file(shard, path.with_suffix(".part"), metadata)
        os.replace(path.with_suffix(".part"), path)


def read_state(folder: pathlib.Path) -> tuple[dict[str, Tensor], int, float]:
    """Read what `write_state` wrote."""
    from safetensors import safe_open

    tensors: dict[str, Tensor] = {}
    seen = set()
    for path in sorted(folder.glob("state-*.safetensors")):
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
        seen.add((metadata["step"], metadata["seconds"], metadata["shards"]))
        tensors |= load_file(path)
    if len(seen) != 1:
        sys.exit(f"{folder}: the state is incomplete, or its files are of different steps")
    step, seconds, _ = seen.pop()
    return tensors, int(step), float(seconds)


@torch.no_grad()
def validate(network: MaskNetwork, config: ModelConfig, bank: Bank, device: torch.device) -> dict[str, list[float]]:
    """Return the uSDR of vocals and accompaniment in dB, a mean for each data set."""
    scores: dict[str, list[tuple[float, float]]] = {}
    front_end = config.front_end
    for index, entry in enumerate(bank.entries):
        vocals, music = (bank.read(index, stem)[:, : 44100 * 30] for stem in STEMS)
        stream = Streams(torch_backend(network, front_end.bins, device), front_end.sample_rate, front_end).open(2)
        estimate = np.concatenate([stream.push(vocals + music), stream.flush()], axis=1)
        pair = usdr(vocals, estimate), usdr(music, vocals + music - estimate)
        if np.isfinite(pair).all():
            scores.setdefault(entry["name"].split("/")[0], []).append(pair)
    return {name: [round(float(x), 2) for x in np.mean(pairs, axis=0)] for name, pairs in scores.items()}


def finish(run: Run, mixer: Mixer, valid: Bank | None, out: pathlib.Path, batch: int) -> dict[str, Any]:
    """Measure the averaged network's statistics, validate it, and write it."""
    config = run.config
    network = copy.deepcopy(run.average).float()

    def forward(network: MaskNetwork, mixture: Tensor) -> object:
        band = torch.full((mixture.shape[0],), math.inf, device=mixture.device)
        return estimates(network, network, mixture, mixture, band, config.model.front_end, config.data.frames)

    mixtures = (mixer.batch(number, batch, config.training.seed + 1)[1] for number in range(STATISTICS_BATCHES))
    measure_statistics(network, mixtures, forward)
    scores = validate(network, config.model, valid, run.device) if valid is not None else {}
    card = {"trained_on": f"{mixer.bank.hours:.1f} h", "step": run.step, "figures": scores, "licence": "not stated"}
    save(out / "model.safetensors", network.cpu(), config.model, card)
    return scores


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", type=pathlib.Path)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--recipe", type=pathlib.Path, required=True, metavar="FILE.toml")
    parser.add_argument("--minutes", type=float, default=9, help="of this call [9]")
    parser.add_argument("--of-minutes", type=float, default=11, help="of all calls together [11]")
    parser.add_argument("--save-minutes", type=float, default=2, help="how often the state is written [2]")
    parser.add_argument("--resume-from", type=pathlib.Path, help="a folder with state-*.safetensors")
    parser.add_argument("--init", type=pathlib.Path, help="a model.safetensors whose weights a new run begins with")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action="store_true", help="compile the network (torch.compile)")
    parser.add_argument("--weight", action="append", default=[], metavar="FOLDER=WEIGHT", help="how often it is drawn")
    given = parser.parse_args()
    began = time.monotonic()
    out = given.run / "out"
    out.mkdir(parents=True, exist_ok=True)
    config = TrainingConfig.from_dict(read_toml(given.recipe))
    settings, device = config.training, torch.device(given.device)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True

    run = Run(config, device, settings.ema, fused=device.type == "cuda")
    kept = given.resume_from or (out if (out / "state-0.safetensors").exists() else None)
    if kept is not None:
        run.load(*read_state(kept))
        print(f"going on at step {run.step}, {run.seconds / 60:.1f} min", flush=True)
    elif given.init is not None:
        run.begin_with(load_file(given.init))
    arrivals = Arrivals(given.parts)
    valid = None
    if (given.parts / "valid.tar").exists():
        valid = Bank(device)
        valid.add(Part.load(given.parts / "valid.tar"))
    weights = {name: float(weight) for name, weight in (entry.split("=") for entry in given.weight)}
    mixer = Mixer(Bank(device), config, weights, device)

    loss_of = parse(settings.loss)
    forward = torch.compile(run.network) if given.compile else run.network
    run.network.train()
    losses: list[Tensor] = []
    last = logged = saved = time.monotonic()
    total = given.of_minutes * 60
    with (out / "log.tsv").open("a") as log:
        while run.seconds < total and last - began < given.minutes * 60 - CLOSING_S:
            while (part := arrivals.next_part(wait=not mixer.ready)) is not None:
                mixer.add(part)
                line = f"# step {run.step}: {len(mixer.bank.entries)} sounds, {mixer.bank.hours:.2f} h"
                print(line, file=log, flush=True)
                print(line, flush=True)
                last = time.monotonic()
            rate = run.rate(run.seconds / total)
            for group in run.optimizer.param_groups:
                group["lr"] = rate
            vocals, mixture, band = mixer.step_batch(run.step, settings.batch_size, settings.seed)
            # Most CPUs emulate bfloat16, ten times as slowly.
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
                front_end, frames = config.model.front_end, config.data.frames
                results = estimates(run.network, forward, vocals, mixture, band, front_end, frames)
            loss = torch.stack([loss_of(result) for result in results]).mean()
            run.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(run.network.parameters(), settings.clip)
            run.optimizer.step()
            run.step += 1
            run.follow()
            losses.append(loss.detach())
            now = time.monotonic()
            run.seconds, last = run.seconds + now - last, now
            if run.step % LOG_EVERY == 0:
                mean = float(torch.stack(losses).mean())
                losses.clear()
                speed = LOG_EVERY / (time.monotonic() - logged)
                logged = time.monotonic()
                line = f"{run.step}\t{run.seconds:.0f}\t{rate:.2e}\t{mean:.4f}\t{speed:.2f}"
                print(line, file=log, flush=True)
                print(line.replace("\t", "  "), flush=True)
            if now - saved > given.save_minutes * 60:
                write_state(out, run)
                saved = time.monotonic()
        if not mixer.ready:
            sys.exit("nothing was trained: no time was left, or the training is over")
        write_state(out, run)
        scores = finish(run, mixer, valid, out, settings.batch_size)
        print(f"# step {run.step}: {json.dumps(scores)}", file=log)
    print(f"step {run.step}, {run.seconds / 60:.1f} of {given.of_minutes:g} min; {json.dumps(scores)}")


if __name__ == "__main__":
    main()
