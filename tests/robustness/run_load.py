"""Load test: many visitors of one studio at once: ``python tests/robustness/run_load.py --clients 50 --minutes 10``.

Starts `vocalsep serve` with a library of its own, lets the visitors upload, play, download, cancel, restart, delete and
abort uploads at random, and checks each answer. In the end every song must be done and have its own stems, and nothing
may be left once all are deleted. Prints measurements and faults; exits with 1 if there are faults.
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
from load.client import Results, Visitor
from load.served import StudioProcess
from load.songs import read_samples

from vocalsep import Separator
from vocalsep.studio.limits import Limits

SMALL_REQUESTS = ("song", "list", "peaks", "page", "gone")
# The model, the first songs and caches of memory allocators are not leaks.
MAX_GROWTH = 1.25
MAX_GROWTH_MB = 100.0
# Songs whose vocals are compared with those of a `Separator` in this process.
COMPARED_SONGS = 12


@dataclasses.dataclass
class Report:
    """The faults of a load test, and its measurements in lines of text."""

    faults: list[str]
    lines: list[str]


def load(clients: int, seconds: float, seed: int, folder: pathlib.Path) -> Report:
    """Run a load test of some seconds, and return its report."""
    studio = StudioProcess(folder / "library")
    results = Results()
    try:
        queued = asyncio.run(_run_visitors(studio, results, clients, seconds, seed))
        memory = list(studio.memory)
    finally:
        code = studio.close()
    time.sleep(0.2)
    results.expect(code in (0, 130), f"the studio ended with {code}")
    complaints = [line for line in studio.stderr if line != "vocalsep: interrupted\n"]
    results.expect(not complaints, f"the studio complained: {''.join(complaints)[-3000:]}")
    # The line of singers stays, without anybody in it.
    left = [path for path in studio.library.rglob("*") if path.name not in (".scratch", "party.json")]
    results.expect(not left, f"left in the library: {sorted(str(path) for path in left)[:5]}")
    tenth = max(1, len(memory) // 10)
    settled, end = float(np.mean(memory[2 * tenth : 4 * tenth] or [0])), float(np.mean(memory[-tenth:] or [0]))
    results.expect(end <= MAX_GROWTH * settled + MAX_GROWTH_MB, f"memory went from {settled:.0f} to {end:.0f} MB")
    trend = float(np.polyfit(np.arange(len(memory) - 2 * tenth), memory[2 * tenth :], 1)[0]) if len(memory) > 9 else 0.0
    requests = sum(count for kind, count in results.counts.items() if kind != "events received")
    small = np.array([value for kind in SMALL_REQUESTS for value in results.latency[kind]] or [0.0]) * 1000
    lines = [
        f"{clients} clients, {seconds:.0f} s: {requests} requests, {len(results.faults)} faults; "
        f"most waiting: {queued}",
        f"small requests: {small.size}, p50 {np.percentile(small, 50):.0f} ms, p99 {np.percentile(small, 99):.0f} ms, "
        f"longest {small.max():.0f} ms",
        f"memory in MB: start {memory[0]:.0f}, peak {max(memory):.0f}, end {memory[-1]:.0f}, "
        f"trend {trend * 120:+.1f} a minute",
        ", ".join(f"{kind}: {count}" for kind, count in sorted(results.counts.items())),
    ]
    return Report(results.faults, lines)


async def _run_visitors(studio: StudioProcess, results: Results, clients: int, seconds: float, seed: int) -> int:
    deadline = time.monotonic() + seconds
    visitors = [Visitor(number, seed, studio.address, deadline, results) for number in range(clients)]
    lengths: list[int] = []
    watch = asyncio.create_task(_watch_queue(studio, results, lengths))
    await asyncio.gather(*(visitor.visit() for visitor in visitors))
    watch.cancel()
    async with httpx.AsyncClient(base_url=studio.address, timeout=120) as http:
        await _wait_until_idle(http, results)
        separator, compared = Separator("default"), COMPARED_SONGS
        for visitor in visitors:
            visitor.http = http
            for song in list(visitor.songs):
                state = (await visitor.request("song", "GET", f"api/songs/{song}", 200)).json()["state"]
                fine = state == "done" or (state == "cancelled" and song in visitor.cancelled)
                results.expect(fine, f"in the end {song} is {state}")
                if state == "done":
                    await visitor.check(song)
                    if compared:
                        compared -= 1
                        await _compare(separator, visitor, song)
        listed = {song["id"] for song in (await http.get("api/songs")).json()}
        owned = {song for visitor in visitors for song in visitor.songs}
        # The library may have more: an upload that was aborted can have been complete.
        results.expect(owned <= listed, f"{len(owned - listed)} songs are gone")
        for song in listed:
            await visitors[0].request("delete", "DELETE", f"api/songs/{song}", 204)
    return max(lengths, default=0)


async def _watch_queue(studio: StudioProcess, results: Results, lengths: list[int]) -> None:
    """Record the length of the queue, and check it."""
    async with httpx.AsyncClient(base_url=studio.address, timeout=120) as http:
        while True:
            waiting = [song for song in (await http.get("api/songs")).json() if song["state"] == "queued"]
            lengths.append(len(waiting))
            results.expect(len(waiting) <= Limits.max_queued, f"{len(waiting)} songs wait")
            await asyncio.sleep(1)


async def _wait_until_idle(http: httpx.AsyncClient, results: Results) -> None:
    """Wait until nothing is queued or running."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        if not [song for song in (await http.get("api/songs")).json() if song["state"] in ("queued", "running")]:
            return
        await asyncio.sleep(0.2)
    results.faults.append("songs still wait after ten minutes")


async def _compare(separator: Separator, visitor: Visitor, song: str) -> None:
    """Separate a song in this process, and compare the vocals."""
    description = (await visitor.request("song", "GET", f"api/songs/{song}", 200)).json()
    answer = await visitor.request("stem", "GET", f"api/songs/{song}/stems/vocals.wav", 200)
    mixture = visitor.songs[song].samples.T.astype(np.float32) / 32768
    vocals = separator.separate(mixture, description["sample_rate"])[0]
    error = np.abs(read_samples(answer.content).T - np.asarray(vocals) * 32768).max()
    visitor.results.expect(error < 2, f"{song}: the vocals differ by {error:.1f} steps from the engine's")


def main() -> int:
    """Run the load test of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = load(arguments.clients, 60 * arguments.minutes, arguments.seed, pathlib.Path(folder))
    print("\n".join([*report.lines, *report.faults]))
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
