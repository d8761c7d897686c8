"""Run a whole benchmark and format its results."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import pathlib
import platform
import tempfile
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..separator import Separator
from ..system.extras import is_installed
from .processes import SplitOptions, peer_command, run, run_in_turns, split_command, write_song
from .stages import matrix_peak, network_rate, time_stages

if TYPE_CHECKING:
    from ..training.config import TrainingConfig

SHORT_S = 5.0
TRIAL_STEPS = 30
# What may compute a network.
RUNTIMES = ("onnxruntime", "torch")


@dataclasses.dataclass(frozen=True)
class BenchmarkPlan:
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


def benchmark(plan: BenchmarkPlan, log: Callable[[str], None]) -> dict[str, Any]:
    """Measure everything in the plan and return the results by name; raises VocalsepError."""
    with tempfile.TemporaryDirectory(prefix="vocalsep-") as folder:
        scratch = pathlib.Path(folder)
        song = plan.song or write_song(plan.seconds, scratch / "song.flac")
        # Report a missing program before measuring for minutes.
        peers = {name: peer_command(name, song, scratch / "peer") for name in plan.against}
        separator = Separator(
            plan.model, backend=plan.backend, precision=plan.precision, threads=plan.threads, device="cpu"
        )
        ours = SplitOptions(plan.model, plan.backend, plan.precision, plan.threads)
        log("steps")
        timed = time_stages(separator, song, scratch, plan.rounds)
        peak = matrix_peak(plan.rounds)
        results: dict[str, Any] = {
            "machine": {"processor": _processor(), **{name: _version(name) for name in RUNTIMES}},
            "model": plan.model,
            "computed": separator.where,
            "precision": plan.precision,
            "stages": [dataclasses.asdict(stage) for stage in timed],
            "matrix_flops": peak,
            "network_flops": network_rate(separator, timed),
        }
        log("start-up")
        short = write_song(SHORT_S, scratch / "short.flac")
        results["startup_s"] = run_in_turns([split_command(short, scratch / "out", ours)], plan.rounds)[0].seconds
        results["processes"] = _processes(plan, ours, song, scratch, peers, log)
        if plan.training is not None:
            from ..training.run import RunLocation
            from ..training.trial import trial

            log("training")
            outcome = trial(plan.training, RunLocation(scratch / "run", cache=plan.cache), TRIAL_STEPS)
            results["training"] = {"steps_per_second": outcome.steps_per_second, "data_wait": outcome.data_wait}
        results["memory"] = [_memory(minutes, ours, scratch, log) for minutes in plan.minutes]
    return results


def as_text(results: dict[str, Any]) -> str:
    """Format the results as a table for a terminal."""
    machine = results["machine"]
    lines = [
        ", ".join([machine["processor"], *(f"{name} {machine[name]}" for name in RUNTIMES if machine[name])]),
        f"model {results['model']} {results['computed']}, {results['precision']}",
        "",
    ]
    lines += [f"{'step':<34}{'seconds':>10}{'x real time':>14}"]
    lines += [f"{stage['name']:<34}{stage['seconds']:>10.3f}{stage['factor']:>14.1f}" for stage in results["stages"]]
    lines += ["", f"matrix product, single precision: {results['matrix_flops'] / 1e9:.0f} GFLOP/s at its best"]
    if results["network_flops"]:
        share = results["network_flops"] / results["matrix_flops"]
        lines.append(f"network: {results['network_flops'] / 1e9:.0f} GFLOP/s, {share:.0%} of that")
    lines.append(f"start-up, a song of {SHORT_S:g} s in a process of its own: {results['startup_s']:.2f} s")
    processes = results["processes"]
    lines += ["", f"{'whole process':<34}{'seconds':>10}{'memory':>12}{'times ours':>14}"]
    for one in processes:
        ratio = one["seconds"] / processes[0]["seconds"]
        lines.append(f"{one['name'][:33]:<34}{one['seconds']:>10.2f}{one['memory'] / 1e9:>9.2f} GB{ratio:>14.2f}")
    if "training" in results:
        rate, wait = results["training"]["steps_per_second"], results["training"]["data_wait"]
        lines += ["", f"training: {rate:.2f} steps a second, {wait:.1%} of their time waiting for data"]
    if results["memory"]:
        lines += ["", f"{'length of the song':<34}{'seconds':>10}{'memory':>12}"]
        for one in results["memory"]:
            lines.append(
                f"{one['minutes']:g} minutes".ljust(34) + f"{one['seconds']:>10.1f}{one['memory'] / 1e9:>9.2f} GB"
            )
    return "\n".join(lines)


def _processes(
    plan: BenchmarkPlan,
    ours: SplitOptions,
    song: pathlib.Path,
    scratch: pathlib.Path,
    peers: dict[str, list[str]],
    log: Callable[[str], None],
) -> list[dict[str, Any]]:
    log(", ".join(["whole processes", *peers]))
    commands: list[Sequence[str]] = [split_command(song, scratch / "out", ours), *peers.values()]
    runs = run_in_turns(commands, plan.rounds)
    return [
        {"name": name, "seconds": one.seconds, "memory": one.memory}
        for name, one in zip(["vocalsep split", *peers], runs, strict=True)
    ]


def _memory(minutes: float, ours: SplitOptions, scratch: pathlib.Path, log: Callable[[str], None]) -> dict[str, float]:
    log(f"{minutes:g} minutes")
    song = write_song(minutes * 60, scratch / "long.flac")
    one = run(split_command(song, scratch / "out", ours))
    return {"minutes": minutes, "seconds": one.seconds, "memory": one.memory}


def _version(package: str) -> str:
    """Return the version of a package, empty if it is not installed."""
    return importlib.metadata.version(package) if is_installed(package) else ""


def _processor() -> str:
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
