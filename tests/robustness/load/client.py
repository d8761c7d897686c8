"""A simulated visitor: uploads, plays, downloads, cancels, restarts, deletes, and aborts uploads."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import AsyncIterator

import httpx
import numpy as np
import soundfile

from .songs import Upload, find_difference, make_song, read_samples

MAX_SONGS = 5
BURST = 8
RANGE_BYTES = 20_000


class Results:
    """Measurements and faults of all visitors.

    Attributes
    ----------
    counts : Counter
        Answers by kind of request and status.
    latency : dict
        Seconds of small requests, by kind.
    faults : list of str
        Descriptions of wrong answers.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.latency: dict[str, list[float]] = defaultdict(list)
        self.faults: list[str] = []

    def expect(self, condition: bool, fault: str) -> None:
        """Record a fault if a condition is not met."""
        if not condition:
            self.faults.append(fault)


class Visitor:
    """A visitor that acts at random until a deadline.

    Parameters
    ----------
    number : int
    seed : int
    address : str
    deadline : float
        By `time.monotonic`.
    results : Results
    """

    def __init__(self, number: int, seed: int, address: str, deadline: float, results: Results):
        self.rng = np.random.default_rng((seed, number))
        self.number, self.address, self.deadline, self.results = number, address, deadline, results
        self.songs: dict[str, Upload] = {}
        self.cancelled: set[str] = set()
        self.song_count = 0

    async def visit(self) -> None:
        """Act until the deadline; the songs that the visitor then has stay in the library."""
        weights = {
            self.upload: 6,
            self.get_song: 10,
            self.follow_stem: 4,
            self.download: 6,
            self.export: 4,
            self.cancel: 1.5,
            self.restart: 1.5,
            self.delete: 2,
            self.listen_to_events: 2,
            self.abort_upload: 1,
            self.upload_slowly: 0.5,
            self.upload_invalid: 1,
            self.burst: 0.3,
            self.change: 2,
        }
        probabilities = np.array(list(weights.values())) / sum(weights.values())
        async with httpx.AsyncClient(base_url=self.address, timeout=120) as self.http:
            # All visitors start at once, with more songs than the queue can hold.
            await self.burst()
            while time.monotonic() < self.deadline:
                action = list(weights)[int(self.rng.choice(len(probabilities), p=probabilities))]
                try:
                    await action()
                except httpx.HTTPError as error:
                    self.results.faults.append(f"{action.__name__}: {type(error).__name__} {error}")
                await asyncio.sleep(float(self.rng.exponential(0.2)))

    async def request(self, kind: str, method: str, path: str, *expected: int, **options: object) -> httpx.Response:
        """Send a request, and record a fault if the status of its answer is not an expected one."""
        started = time.monotonic()
        answer = await self.http.request(method, path, **options)  # type: ignore[arg-type]
        self.results.latency[kind].append(time.monotonic() - started)
        self.results.counts[f"{kind} {answer.status_code}"] += 1
        self.results.expect(
            answer.status_code in expected, f"{kind} {path} was answered {answer.status_code}: {answer.text[:200]!r}"
        )
        return answer

    def random_song(self) -> str | None:
        return str(self.rng.choice(list(self.songs))) if self.songs else None

    def next_song(self) -> Upload:
        self.song_count += 1
        return make_song(self.rng, self.number * 100_000 + self.song_count)

    async def upload(self) -> None:
        while len(self.songs) >= MAX_SONGS:
            await self.delete()
        await self.post(self.next_song())

    async def post(self, song: Upload, content: object = None) -> None:
        answer = await self.request(
            "upload", "POST", "api/songs", 201, 429, params={"name": song.name}, content=content or song.data
        )
        if answer.status_code == 201:
            description = answer.json()
            self.results.expect(description["name"] == song.name, f"{song.name} is called {description['name']}")
            self.songs[description["id"]] = song
        elif answer.status_code == 429:
            self.results.expect(
                "waiting already" in answer.json()["detail"], f"429 without its sentence: {answer.text}"
            )

    async def burst(self) -> None:
        await asyncio.gather(*(self.post(self.next_song()) for _ in range(BURST)))

    async def get_song(self) -> None:
        song = self.random_song()
        if song is None:
            return
        description = (await self.request("song", "GET", f"api/songs/{song}", 200)).json()
        self.results.expect(
            description["name"] == self.songs[song].name,
            f"{song} is {description['name']}, not {self.songs[song].name}",
        )
        self.results.expect(description["state"] != "failed", f"{song} failed: {description['error']}")
        if self.rng.random() < 0.2:
            await self.request("list", "GET", "api/songs", 200)
        if self.rng.random() < 0.2:
            await self.request("peaks", "GET", f"api/songs/{song}/peaks", 200)
        if self.rng.random() < 0.1:
            await self.request("page", "GET", "", 200)

    async def follow_stem(self) -> None:
        """Fetch a stem in ranges while it is separated, as a player does."""
        song = self.random_song()
        if song is None:
            return
        received = b""
        path = f"api/songs/{song}/stems/vocals.wav"
        for _ in range(10):
            headers = {"range": f"bytes={len(received)}-{len(received) + RANGE_BYTES}"}
            answer = await self.request("range", "GET", path, 206, 409, 416, headers=headers)
            if answer.status_code == 206:
                received += answer.content
            else:
                await asyncio.sleep(0.1)
        now = (await self.request("song", "GET", f"api/songs/{song}", 200)).json()
        if now["state"] == "done" and song not in self.cancelled and len(received) > 44:
            whole = (await self.request("stem", "GET", path, 200)).content
            # The header is not compared: it has the length, which may be known only at the end.
            self.results.expect(
                whole[44 : len(received)] == received[44:], f"{song} was different while it was separated"
            )

    async def random_done_song(self) -> str | None:
        song = self.random_song()
        if song is None:
            return None
        description = (await self.request("song", "GET", f"api/songs/{song}", 200)).json()
        return song if description["state"] == "done" else None

    async def download(self) -> None:
        song = await self.random_done_song()
        if song is not None:
            await self.check(song)

    async def check(self, song: str) -> None:
        """Check the stems and the original of a song that is done."""
        stems = [
            (await self.request("stem", "GET", f"api/songs/{song}/stems/{stem}.wav", 200)).content
            for stem in ("vocals", "accompaniment")
        ]
        difference = find_difference(self.songs[song], *map(read_samples, stems))
        self.results.expect(not difference, f"{song}: {difference}")
        original = await self.request("original", "GET", f"api/songs/{song}/original", 200)
        self.results.expect(original.content == self.songs[song].data, f"{song}: another original")

    async def export(self) -> None:
        song = await self.random_done_song()
        if song is None:
            return
        kind = str(self.rng.choice(("wav", "flac", "mp3", "stems", "version", "stem_file", "passage")))
        if kind == "version":
            params = {"key": int(self.rng.integers(1, 4)), "start": 0.1} if self.rng.random() < 0.5 else {"key": 1}
            await self.request("version", "POST", f"api/songs/{song}/versions", 200, params=params)
            return
        body: dict[str, object] = {"kind": "mix", "vocals": 1, "accompaniment": 1}
        if kind in ("stems", "stem_file"):
            body = {"kind": kind, "format": "wav"}
        elif kind == "passage":
            body |= {"format": "wav", "start": 0.1, "end": 0.2}
        else:
            body["format"] = kind
        if self.rng.random() < 0.3:
            body["client"] = f"visitor-{self.number}"
        answer = await self.request("export", "POST", f"api/songs/{song}/exports", 202, 429, json=body)
        if answer.status_code == 429:
            return
        export = answer.json()
        if self.rng.random() < 0.15:
            await asyncio.sleep(float(self.rng.exponential(0.2)))
            # Another visitor's request can have removed it for newer ones.
            await self.request("export cancelled", "DELETE", f"api/exports/{export['id']}", 204, 404)
            return
        content = await self.finished(export["id"])
        if content is not None:
            self.check_export(song, kind, content)

    async def finished(self, export: str) -> bytes | None:
        """Wait for an export, and return its file; None if it was removed for newer ones."""
        while True:
            answer = await self.request("export state", "GET", f"api/exports/{export}", 200, 404)
            if answer.status_code == 404:
                return None
            told = answer.json()
            self.results.expect(
                told["state"] not in ("failed", "cancelled"), f"export {told['state']}: {told['error']}"
            )
            if told["state"] not in ("queued", "running"):
                break
            await asyncio.sleep(0.2)
        answer = await self.request("export file", "GET", f"api/exports/{export}/file", 200, 404)
        if answer.status_code == 404:
            return None
        self.results.expect(len(answer.content) == told["bytes"], f"{told['name']} has another size")
        return answer.content

    def check_export(self, song: str, kind: str, content: bytes) -> None:
        """Check the samples of an export without loss."""
        upload = self.songs[song]
        if kind == "stems":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                # Accompaniment and vocals, by their names.
                stems = [read_samples(archive.read(name)) for name in sorted(archive.namelist(), reverse=True)]
            difference = find_difference(upload, *stems)
            self.results.expect(not difference, f"{song} in an archive: {difference}")
        elif kind in ("wav", "flac"):
            same = np.array_equal(read_samples(content), upload.samples)
            self.results.expect(same, f"{song}: a mix of all is not the song")
        elif kind == "passage":
            rate = soundfile.info(io.BytesIO(content)).samplerate
            same = np.array_equal(read_samples(content), upload.samples[round(0.1 * rate) : round(0.2 * rate)])
            self.results.expect(same, f"{song}: a passage of it is another")

    async def change(self) -> None:
        """Keep settings, a title and words, and add the song to the party."""
        song = self.random_song()
        if song is None:
            return
        position = float(self.rng.integers(0, 100))
        path = f"api/songs/{song}"
        await self.request("settings", "PATCH", f"{path}/settings", 200, json={"position": position})
        kept = (await self.request("settings", "GET", f"{path}/settings", 200)).json()
        self.results.expect(kept["position"] == position, f"{song} was left at {position}, not {kept['position']}")
        await self.request("rename", "PATCH", path, 200, json={"title": f"Song {position}"})
        await self.request("words", "PUT", f"{path}/lyrics", 200, content=b"[00:01.00]la")
        entry = await self.request("party", "POST", "api/party/entries", 201, 422, json={"song": song})
        if entry.status_code == 201:
            await self.request("party", "DELETE", f"api/party/entries/{entry.json()['id']}", 204)
        now = (await self.request("song", "GET", path, 200)).json()
        self.results.expect(now["title"] == f"Song {position}" and now["lyrics"], f"{song} has lost its title or words")

    async def cancel(self) -> None:
        song = self.random_song()
        if song is not None:
            self.cancelled.add(song)
            description = (await self.request("cancel", "POST", f"api/songs/{song}/cancel", 200)).json()
            self.results.expect(
                description["state"] in ("cancelled", "done"), f"cancelled, {song} is {description['state']}"
            )

    async def restart(self) -> None:
        song = self.random_song()
        if song is not None:
            answer = await self.request("restart", "POST", f"api/songs/{song}/restart", 200, 409, 429)
            if answer.status_code == 200:
                self.cancelled.discard(song)

    async def delete(self) -> None:
        song = self.random_song()
        if song is not None:
            del self.songs[song]
            self.cancelled.discard(song)
            await self.request("delete", "DELETE", f"api/songs/{song}", 204)
            await self.request("gone", "GET", f"api/songs/{song}", 404)

    async def listen_to_events(self) -> None:
        """Read the server-sent events for a while."""
        received = 0
        with contextlib.suppress(asyncio.TimeoutError):
            async with self.http.stream("GET", "api/events") as stream:
                lines = stream.aiter_lines()
                end = time.monotonic() + float(self.rng.uniform(0.5, 4))
                while time.monotonic() < end:
                    line = await asyncio.wait_for(anext(lines), max(0.01, end - time.monotonic()))
                    if line.startswith("data: "):
                        received += 1
                        json.loads(line.removeprefix("data: "))
        self.results.counts["events received"] += received

    async def abort_upload(self) -> None:
        """Abort an upload."""
        song = self.next_song()

        async def parts() -> AsyncIterator[bytes]:
            yield song.data[: len(song.data) // 2]
            await asyncio.sleep(float(self.rng.uniform(0, 0.5)))
            raise ConnectionAbortedError

        with contextlib.suppress(ConnectionAbortedError):
            await self.http.post("api/songs", params={"name": song.name}, content=parts())
        self.results.counts["upload aborted"] += 1

    async def upload_slowly(self) -> None:
        """Upload slowly."""
        song = self.next_song()

        async def parts() -> AsyncIterator[bytes]:
            step = len(song.data) // 8 + 1
            for offset in range(0, len(song.data), step):
                yield song.data[offset : offset + step]
                await asyncio.sleep(0.3)

        await self.post(song, parts())

    async def upload_invalid(self) -> None:
        await self.request(
            "invalid upload", "POST", "api/songs", 422, 429, params={"name": "x.wav"}, content=b"no sound" * 99
        )
