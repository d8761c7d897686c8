"""Kill commands at random moments, again and again, and check that nothing is lost and nothing is left in halves.

    cd tests/robustness; python -m faults.run --kills 50 --seed 0

Each command is killed (SIGKILL, with all its processes), checked and started again, as often as `--kills` says. Then it
is let go on to its end, and what it made is compared with what it makes undisturbed.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import pathlib
import random
import signal
import sys
import tempfile
import time

from .cases import CASES, Case

# A kill comes somewhere in the time that the command takes undisturbed, or a little later.
LATEST = 1.1


@dataclasses.dataclass
class Report:
    """What became of a command that was killed.

    Parameters
    ----------
    kills : int
        That hit it while it ran.
    ends : int
        How often it finished, and was started from the beginning.
    faults : list of str
        What was wrong.
    """

    kills: int = 0
    ends: int = 0
    faults: list[str] = dataclasses.field(default_factory=list)


def torment(case: type[Case], kills: int, seed: int, folder: pathlib.Path) -> Report:
    """Kill a command so many times, and check after each."""
    rng = random.Random(seed)
    undisturbed, tried = case(folder / "undisturbed"), case(folder / "tried")
    started = time.monotonic()
    undisturbed.finish()
    duration = time.monotonic() - started
    expected = undisturbed.results()
    report = Report()
    while report.kills < kills:
        process = tried.start()
        time.sleep(rng.uniform(0, LATEST * duration))
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            report.kills += 1
        elif process.returncode:
            stderr = process.stderr.read().decode(errors="replace") if process.stderr else ""
            report.faults.append(f"after {report.kills} kills it ended with {process.returncode}: {stderr.strip()}")
            return report
        else:
            report.ends += 1
        process.communicate()
        found = tried.results()
        report.faults += [f"after {report.kills} kills: {complaint}" for complaint in tried.whole(found, expected)]
        if process.returncode == 0:
            tried.reset()
    tried.finish()
    if tried.lasting(tried.results()) != undisturbed.lasting(expected):
        report.faults.append("in the end it made something else than undisturbed")
    return report


def main() -> int:
    """Torment all commands, or some, and say what became of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=CASES, action="append")
    args = parser.parse_args()
    faults = 0
    for name in args.only or CASES:
        with tempfile.TemporaryDirectory() as folder:
            report = torment(CASES[name], args.kills, args.seed, pathlib.Path(folder))
        faults += len(report.faults)
        print(f"{name}: {report.kills} kills, came to its end {report.ends} times, {len(report.faults)} faults")
        print("".join(f"  {fault}\n" for fault in report.faults), end="", flush=True)
    return min(1, faults)


if __name__ == "__main__":
    sys.exit(main())
