"""Fuzzing at length: ``python tests/robustness/run_fuzz.py --audio 10000 --models 2000 --requests 1000``.

Prints a line for each harness and one for each defect, and ends with 1 where there is any. A line's name, such as
``audio-17``, and the seed are all that its input is made from: ``--audio 1 --first 17 --keep FOLDER`` makes it again.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import tempfile
import time

from fuzz.audio import Audio
from fuzz.configs import Configs
from fuzz.folders import Folders
from fuzz.models import Models
from fuzz.requests import Requests
from fuzz.watch import Bounds, Outcome, Task, run

KINDS = {"audio": Audio, "models": Models, "requests": Requests, "configs": Configs, "folders": Folders}


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in KINDS:
        parser.add_argument(f"--{name}", type=int, default=0, metavar="N", help="how many inputs")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of the first input")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for inputs that show a defect")
    asked = parser.parse_args()
    defects = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, kind in KINDS.items():
            tasks = [Task(kind, asked.first + case) for case in range(getattr(asked, name))]
            if tasks:
                began = time.monotonic()
                outcomes = list(_told(run(tasks, asked.seed, pathlib.Path(folder), Bounds(), asked.keep)))
                print(_summary(name, outcomes, time.monotonic() - began), flush=True)
                defects += sum(bool(outcome.defect) for outcome in outcomes)
    return 1 if defects else 0


def _told(outcomes):
    for outcome in outcomes:
        if outcome.defect:
            print(f"{outcome.task.name}: {outcome.defect}", flush=True)
        yield outcome


def _summary(name: str, outcomes: list[Outcome], seconds: float) -> str:
    accepted = sum(outcome.accepted and not outcome.defect for outcome in outcomes)
    defects = sum(bool(outcome.defect) for outcome in outcomes)
    slowest = max(outcomes, key=lambda outcome: outcome.seconds)
    largest = max(outcomes, key=lambda outcome: outcome.peak_bytes)
    return (
        f"{name}: {len(outcomes)} inputs, {accepted} accepted, {len(outcomes) - accepted - defects} refused, "
        f"{defects} defects; longest {slowest.seconds:.2f} s ({slowest.task.name}), "
        f"peak {largest.peak_bytes / 1e6:.0f} MB ({largest.task.name}); {seconds:.0f} s in all"
    )


if __name__ == "__main__":
    sys.exit(main())
