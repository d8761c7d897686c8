"""A whole benchmark, measured and told."""

from __future__ import annotations

import dataclasses
import pathlib
import platform
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import torch

from ..separator import Separator
from ..training.config import TrainingConfig
from ..training.run import RunLocation
from ..training.trial import trial
from .processes import SplitOptions, in_turns, peer_command, run, song_of, split_command
from .stages import matrix_peak, network_rate, stages

SHORT_S = 5.0
TRIAL_STEPS = 30


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is measured.

    Parameters
    ----------
    song : pathlib.Path or None
        None makes one.
    seconds : float
        Length of the song that is made.
    model : str
    backend, precision : str
    threads : int or None
    rounds : int
    minutes : tuple of float
        Lengths of songs whose splitting is watched for memory.
    against : tuple of str
        Peers, see `processes.peer_command`.
    training : TrainingConfig or None
        A run whose speed is tried.
    cache : pathlib.Path, optional
        Folder of seekable copies, see `training.run.RunLocation`.
    """

    song: pathlib.Path | None
    seconds: float
    model: str
    backend: str
    precision: str
    threads: int | None
    rounds: int
    minutes: tuple[float, ...]
    against: tuple[str, ...]
    training: TrainingConfig | None = None
    cache: pathlib.Path | None = None


def benchmark(plan: Plan, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure, and return all figures by name; raises VocalsepError."""
    with tempfile.TemporaryDirectory(prefix="vocalsep-") as folder:
        scratch = pathlib.Path(folder)
        song = plan.song or song_of(plan.seconds, scratch / "song.flac")
        # A peer that is not there is said before minutes are spent.
        peers = {name: peer_command(name, song, scratch / "peer") for name in plan.against}
        separator = Separator(
            plan.model, backend=plan.backend, precision=plan.precision, threads=plan.threads, device="cpu"
        )
        ours = SplitOptions(plan.model, plan.backend, plan.precision, plan.threads)
        say("steps")
        found = stages(separator, song, scratch, plan.rounds)
        peak = matrix_peak(plan.rounds)
        said: dict[str, Any] = {
            "machine": {"processor": _processor(), "torch": torch.__version__},
            "model": plan.model,
            "computed": separator.where,
            "precision": plan.precision,
            "stages": [dataclasses.asdict(stage) for stage in found],
            "matrix_flops": peak,
            "network_flops": network_rate(separator, found),
        }
        say("start-up")
        short = song_of(SHORT_S, scratch / "short.flac")
        said["startup_s"] = in_turns([split_command(short, scratch / "out", ours)], plan.rounds)[0].seconds
        said["processes"] = _processes(plan, ours, song, scratch, peers, say)
        if plan.training is not None:
            say("training")
            outcome = trial(plan.training, RunLocation(scratch / "run", cache=plan.cache), TRIAL_STEPS)
            said["training"] = {"steps_per_second": outcome.steps_per_second, "data_wait": outcome.data_wait}
        said["memory"] = [_memory(minutes, ours, scratch, say) for minutes in plan.minutes]
    return said


def as_text(said: dict[str, Any]) -> str:
    """Return the figures as a table for a terminal."""
    machine = said["machine"]
    lines = [
        f"{machine['processor']}, torch {machine['torch']}",
        f"model {said['model']} {said['computed']}, {said['precision']}",
        "",
    ]
    lines += [f"{'step':<34}{'seconds':>10}{'x real time':>14}"]
    lines += [f"{stage['name']:<34}{stage['seconds']:>10.3f}{stage['factor']:>14.1f}" for stage in said["stages"]]
    lines += ["", f"matrix product, single precision: {said['matrix_flops'] / 1e9:.0f} GFLOP/s at its best"]
    if said["network_flops"]:
        share = said["network_flops"] / said["matrix_flops"]
        lines.append(f"network: {said['network_flops'] / 1e9:.0f} GFLOP/s, {share:.0%} of that")
    lines.append(f"start-up, a song of {SHORT_S:g} s in a process of its own: {said['startup_s']:.2f} s")
    processes = said["processes"]
    lines += ["", f"{'whole process':<34}{'seconds':>10}{'memory':>12}{'times ours':>14}"]
    for one in processes:
        ratio = one["seconds"] / processes[0]["seconds"]
        lines.append(f"{one['name'][:33]:<34}{one['seconds']:>10.2f}{one['memory'] / 1e9:>9.2f} GB{ratio:>14.2f}")
    if "training" in said:
        rate, wait = said["training"]["steps_per_second"], said["training"]["data_wait"]
        lines += ["", f"training: {rate:.2f} steps a second, {wait:.1%} of their time waiting for data"]
    if said["memory"]:
        lines += ["", f"{'length of the song':<34}{'seconds':>10}{'memory':>12}"]
        for one in said["memory"]:
            lines.append(
                f"{one['minutes']:g} minutes".ljust(34) + f"{one['seconds']:>10.1f}{one['memory'] / 1e9:>9.2f} GB"
            )
    return "\n".join(lines)


def _processes(
    plan: Plan,
    ours: SplitOptions,
    song: pathlib.Path,
    scratch: pathlib.Path,
    peers: dict[str, list[str]],
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    say(", ".join(["whole processes", *peers]))
    commands: list[Sequence[str]] = [split_command(song, scratch / "out", ours), *peers.values()]
    runs = in_turns(commands, plan.rounds)
    return [
        {"name": name, "seconds": one.seconds, "memory": one.memory}
        for name, one in zip(["vocalsep split", *peers], runs, strict=True)
    ]


def _memory(minutes: float, ours: SplitOptions, scratch: pathlib.Path, say: Callable[[str], None]) -> dict[str, float]:
    say(f"{minutes:g} minutes")
    song = song_of(minutes * 60, scratch / "long.flac")
    one = run(split_command(song, scratch / "out", ours))
    return {"minutes": minutes, "seconds": one.seconds, "memory": one.memory}


def _processor() -> str:
    said = pathlib.Path("/proc/cpuinfo")
    if said.exists():
        for line in said.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
