"""Many visitors of one studio at a time: ``python tests/robustness/run_load.py --clients 50 --minutes 10``.

Starts `vocalsep serve` with a library of its own, lets the visitors upload, listen, download, cancel, restart, delete
and give up at random, and checks each answer. In the end every song must be done and its stems its own, and nothing is
left once all are deleted. Prints figures, and each fault; ends with 1 where there is any.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import pathlib
import sys
import tempfile
import time

import httpx
import numpy as np
from load.client import Notes, Visitor
from load.served import Served
from load.songs import sound

from vocalsep import Separator
from vocalsep.studio.limits import Limits

SMALL = ("song", "list", "peaks", "page", "gone")
# What loading the model and the first songs take, and what memory allocators keep, is no leak.
GROWTH = 1.25
SETTLED_MB = 100.0
# Songs that are separated once more here, to compare.
COMPARED = 12


@dataclasses.dataclass
class Report:
    """What a load did: faults, and lines of figures."""

    faults: list[str]
    lines: list[str]


def load(clients: int, seconds: float, seed: int, folder: pathlib.Path) -> Report:
    """Let visitors at a studio for some seconds, and say what became of it."""
    served = Served(folder / "library")
    notes = Notes()
    try:
        queued = asyncio.run(_visited(served, notes, clients, seconds, seed))
        memory = list(served.memory)
    finally:
        code = served.close()
    time.sleep(0.2)
    notes.expect(code in (0, 130), f"the studio ended with {code}")
    said = [line for line in served.said if line != "vocalsep: interrupted\n"]
    notes.expect(not said, f"the studio complained: {''.join(said)[-3000:]}")
    left = [path for path in served.library.rglob("*") if path.name != ".scratch"]
    notes.expect(not left, f"left in the library: {sorted(str(path) for path in left)[:5]}")
    tenth = max(1, len(memory) // 10)
    settled, end = float(np.mean(memory[2 * tenth : 4 * tenth] or [0])), float(np.mean(memory[-tenth:] or [0]))
    notes.expect(end <= GROWTH * settled + SETTLED_MB, f"memory went from {settled:.0f} to {end:.0f} MB")
    trend = float(np.polyfit(np.arange(len(memory) - 2 * tenth), memory[2 * tenth :], 1)[0]) if len(memory) > 9 else 0.0
    asked = sum(count for kind, count in notes.counts.items() if kind != "news heard")
    small = np.array([value for kind in SMALL for value in notes.latency[kind]] or [0.0]) * 1000
    lines = [
        f"{clients} clients, {seconds:.0f} s: {asked} requests, {len(notes.faults)} faults; most waiting: {queued}",
        f"small requests: {small.size}, p50 {np.percentile(small, 50):.0f} ms, p99 {np.percentile(small, 99):.0f} ms, "
        f"longest {small.max():.0f} ms",
        f"memory in MB: start {memory[0]:.0f}, peak {max(memory):.0f}, end {memory[-1]:.0f}, "
        f"trend {trend * 120:+.1f} a minute",
        ", ".join(f"{kind}: {count}" for kind, count in sorted(notes.counts.items())),
    ]
    return Report(notes.faults, lines)


async def _visited(served: Served, notes: Notes, clients: int, seconds: float, seed: int) -> int:
    until = time.monotonic() + seconds
    visitors = [Visitor(number, seed, served.address, until, notes) for number in range(clients)]
    lengths: list[int] = []
    watch = asyncio.create_task(_watched(served, notes, lengths))
    await asyncio.gather(*(visitor.visit() for visitor in visitors))
    watch.cancel()
    async with httpx.AsyncClient(base_url=served.address, timeout=120) as http:
        await _settled(http, notes)
        separator, compared = Separator("default"), COMPARED
        for visitor in visitors:
            visitor.http = http
            for song in list(visitor.held):
                state = (await visitor.ask("song", "GET", f"api/songs/{song}", 200)).json()["state"]
                fine = state == "done" or (state == "cancelled" and song in visitor.cancelled)
                notes.expect(fine, f"in the end {song} is {state}")
                if state == "done":
                    await visitor.check(song)
                    if compared:
                        compared -= 1
                        await _compare(separator, visitor, song)
        listed = {song["id"] for song in (await http.get("api/songs")).json()}
        held = {song for visitor in visitors for song in visitor.held}
        # An upload that was given up can have been whole by then.
        notes.expect(held <= listed, f"{len(held - listed)} songs are gone")
        for song in listed:
            await visitors[0].ask("delete", "DELETE", f"api/songs/{song}", 204)
    return max(lengths, default=0)


async def _watched(served: Served, notes: Notes, lengths: list[int]) -> None:
    """Look after the length of the queue."""
    async with httpx.AsyncClient(base_url=served.address, timeout=120) as http:
        while True:
            waiting = [song for song in (await http.get("api/songs")).json() if song["state"] == "queued"]
            lengths.append(len(waiting))
            notes.expect(len(waiting) <= Limits.max_queued, f"{len(waiting)} songs wait")
            await asyncio.sleep(1)


async def _settled(http: httpx.AsyncClient, notes: Notes) -> None:
    """Wait until nothing is queued or running."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        if not [song for song in (await http.get("api/songs")).json() if song["state"] in ("queued", "running")]:
            return
        await asyncio.sleep(0.2)
    notes.faults.append("songs still wait after ten minutes")


async def _compare(separator: Separator, visitor: Visitor, song: str) -> None:
    """Separate a song here, and compare the vocals."""
    said = (await visitor.ask("song", "GET", f"api/songs/{song}", 200)).json()
    answer = await visitor.ask("stem", "GET", f"api/songs/{song}/stems/vocals.wav", 200)
    mixture = visitor.held[song].samples.T.astype(np.float32) / 32768
    vocals = separator.separate(mixture, said["sample_rate"])[0]
    wrong = np.abs(sound(answer.content).T - np.asarray(vocals) * 32768).max()
    visitor.notes.expect(wrong < 2, f"{song}: the vocals differ by {wrong:.1f} steps from the engine's")


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = load(asked.clients, 60 * asked.minutes, asked.seed, pathlib.Path(folder))
    print("\n".join([*report.lines, *report.faults]))
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
