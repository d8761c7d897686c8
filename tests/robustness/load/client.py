"""One visitor: uploads, listens, downloads, cancels, restarts, deletes, and gives up halfway."""

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

from .songs import Upload, differs, new_song, sound

MOST_HELD = 5
BURST = 8
PIECE = 20_000


class Notes:
    """What all visitors saw.

    Attributes
    ----------
    counts : Counter
        Answers by kind of request and status.
    latency : dict
        Seconds of small requests, by kind.
    faults : list of str
        What must not happen.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.latency: dict[str, list[float]] = defaultdict(list)
        self.faults: list[str] = []

    def expect(self, held: bool, what: str) -> None:
        if not held:
            self.faults.append(what)


class Visitor:
    """A visitor who acts at random until a time.

    Parameters
    ----------
    number : int
    seed : int
    address : str
    until : float
        By `time.monotonic`.
    notes : Notes
    """

    def __init__(self, number: int, seed: int, address: str, until: float, notes: Notes):
        self.rng = np.random.default_rng((seed, number))
        self.number, self.address, self.until, self.notes = number, address, until, notes
        self.held: dict[str, Upload] = {}
        self.cancelled: set[str] = set()
        self.made = 0

    async def visit(self) -> None:
        """Act until the time has come; what is held then stays."""
        acts = {
            self.upload: 6,
            self.look: 10,
            self.grow: 4,
            self.download: 6,
            self.make: 4,
            self.cancel: 1.5,
            self.restart: 1.5,
            self.delete: 2,
            self.listen: 2,
            self.give_up: 1,
            self.dawdle: 0.5,
            self.nonsense: 1,
            self.burst: 0.3,
        }
        chances = np.array(list(acts.values())) / sum(acts.values())
        async with httpx.AsyncClient(base_url=self.address, timeout=120) as self.http:
            # All come at once and want more than may wait.
            await self.burst()
            while time.monotonic() < self.until:
                act = list(acts)[int(self.rng.choice(len(chances), p=chances))]
                try:
                    await act()
                except httpx.HTTPError as error:
                    self.notes.faults.append(f"{act.__name__}: {type(error).__name__} {error}")
                await asyncio.sleep(float(self.rng.exponential(0.2)))

    async def ask(self, kind: str, method: str, path: str, *good: int, **more: object) -> httpx.Response:
        """Send a request whose answer has one of some statuses."""
        began = time.monotonic()
        answer = await self.http.request(method, path, **more)  # type: ignore[arg-type]
        self.notes.latency[kind].append(time.monotonic() - began)
        self.notes.counts[f"{kind} {answer.status_code}"] += 1
        self.notes.expect(
            answer.status_code in good, f"{kind} {path} was answered {answer.status_code}: {answer.text[:200]!r}"
        )
        return answer

    def some(self) -> str | None:
        return str(self.rng.choice(list(self.held))) if self.held else None

    def next_song(self) -> Upload:
        self.made += 1
        return new_song(self.rng, self.number * 100_000 + self.made)

    async def upload(self) -> None:
        while len(self.held) >= MOST_HELD:
            await self.delete()
        await self.post(self.next_song())

    async def post(self, song: Upload, content: object = None) -> None:
        answer = await self.ask(
            "upload", "POST", "api/songs", 201, 429, params={"name": song.name}, content=content or song.data
        )
        if answer.status_code == 201:
            said = answer.json()
            self.notes.expect(said["name"] == song.name, f"{song.name} is called {said['name']}")
            self.held[said["id"]] = song
        elif answer.status_code == 429:
            self.notes.expect("waiting already" in answer.json()["detail"], f"429 without its sentence: {answer.text}")

    async def burst(self) -> None:
        await asyncio.gather(*(self.post(self.next_song()) for _ in range(BURST)))

    async def look(self) -> None:
        song = self.some()
        if song is None:
            return
        said = (await self.ask("song", "GET", f"api/songs/{song}", 200)).json()
        self.notes.expect(said["name"] == self.held[song].name, f"{song} is {said['name']}, not {self.held[song].name}")
        self.notes.expect(said["state"] != "failed", f"{song} failed: {said['error']}")
        if self.rng.random() < 0.2:
            await self.ask("list", "GET", "api/songs", 200)
        if self.rng.random() < 0.2:
            await self.ask("peaks", "GET", f"api/songs/{song}/peaks", 200)
        if self.rng.random() < 0.1:
            await self.ask("page", "GET", "", 200)

    async def grow(self) -> None:
        """Follow a stem while it is made, in ranges, as a player does."""
        song = self.some()
        if song is None:
            return
        heard = b""
        path = f"api/songs/{song}/stems/vocals.wav"
        for _ in range(10):
            span = {"range": f"bytes={len(heard)}-{len(heard) + PIECE}"}
            answer = await self.ask("range", "GET", path, 206, 409, 416, headers=span)
            if answer.status_code == 206:
                heard += answer.content
            else:
                await asyncio.sleep(0.1)
        now = (await self.ask("song", "GET", f"api/songs/{song}", 200)).json()
        if now["state"] == "done" and song not in self.cancelled and len(heard) > 44:
            whole = (await self.ask("stem", "GET", path, 200)).content
            # Its header says how long it will be, which may be known in the end only.
            self.notes.expect(whole[44 : len(heard)] == heard[44:], f"{song} was heard otherwise while it was made")

    async def done(self) -> str | None:
        song = self.some()
        if song is None:
            return None
        said = (await self.ask("song", "GET", f"api/songs/{song}", 200)).json()
        return song if said["state"] == "done" else None

    async def download(self) -> None:
        song = await self.done()
        if song is not None:
            await self.check(song)

    async def check(self, song: str) -> None:
        """Fetch both stems of a finished song and the song itself, and see that they are its own."""
        stems = [
            (await self.ask("stem", "GET", f"api/songs/{song}/stems/{stem}.wav", 200)).content
            for stem in ("vocals", "accompaniment")
        ]
        wrong = differs(self.held[song], *map(sound, stems))
        self.notes.expect(not wrong, f"{song}: {wrong}")
        original = await self.ask("original", "GET", f"api/songs/{song}/original", 200)
        self.notes.expect(original.content == self.held[song].data, f"{song}: another original")

    async def make(self) -> None:
        song = await self.done()
        if song is None:
            return
        kind = str(self.rng.choice(("mix", "flac", "mp3", "zip", "version", "stem.mp4")))
        if kind == "zip":
            answer = await self.ask("zip", "GET", f"api/songs/{song}/stems.zip", 200)
            with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
                stems = [sound(archive.read(name)) for name in sorted(archive.namelist(), reverse=True)]
            wrong = differs(self.held[song], *stems)
            self.notes.expect(not wrong, f"{song} in an archive: {wrong}")
        elif kind == "version":
            await self.ask("version", "POST", f"api/songs/{song}/versions", 200, params={"key": 1})
        else:
            form = "wav" if kind == "mix" else kind
            both = {"vocals": 1, "accompaniment": 1, "format": form}
            answer = await self.ask("mix", "GET", f"api/songs/{song}/mix", 200, params=both)
            if form in ("wav", "flac") and answer.status_code == 200:
                same = np.array_equal(sound(answer.content), self.held[song].samples)
                self.notes.expect(same, f"{song}: a mix of all is not the song")

    async def cancel(self) -> None:
        song = self.some()
        if song is not None:
            self.cancelled.add(song)
            said = (await self.ask("cancel", "POST", f"api/songs/{song}/cancel", 200)).json()
            self.notes.expect(said["state"] in ("cancelled", "done"), f"cancelled, {song} is {said['state']}")

    async def restart(self) -> None:
        song = self.some()
        if song is not None:
            answer = await self.ask("restart", "POST", f"api/songs/{song}/restart", 200, 409, 429)
            if answer.status_code == 200:
                self.cancelled.discard(song)

    async def delete(self) -> None:
        song = self.some()
        if song is not None:
            del self.held[song]
            self.cancelled.discard(song)
            await self.ask("delete", "DELETE", f"api/songs/{song}", 204)
            await self.ask("gone", "GET", f"api/songs/{song}", 404)

    async def listen(self) -> None:
        """Hear the news for a while."""
        heard = 0
        with contextlib.suppress(asyncio.TimeoutError):
            async with self.http.stream("GET", "api/events") as stream:
                lines = stream.aiter_lines()
                until = time.monotonic() + float(self.rng.uniform(0.5, 4))
                while time.monotonic() < until:
                    line = await asyncio.wait_for(anext(lines), max(0.01, until - time.monotonic()))
                    if line.startswith("data: "):
                        heard += 1
                        json.loads(line.removeprefix("data: "))
        self.notes.counts["news heard"] += heard

    async def give_up(self) -> None:
        """Break an upload off."""
        song = self.next_song()

        async def parts() -> AsyncIterator[bytes]:
            yield song.data[: len(song.data) // 2]
            await asyncio.sleep(float(self.rng.uniform(0, 0.5)))
            raise ConnectionAbortedError

        with contextlib.suppress(ConnectionAbortedError):
            await self.http.post("api/songs", params={"name": song.name}, content=parts())
        self.notes.counts["upload given up"] += 1

    async def dawdle(self) -> None:
        """Upload slowly."""
        song = self.next_song()

        async def parts() -> AsyncIterator[bytes]:
            step = len(song.data) // 8 + 1
            for at in range(0, len(song.data), step):
                yield song.data[at : at + step]
                await asyncio.sleep(0.3)

        await self.post(song, parts())

    async def nonsense(self) -> None:
        await self.ask("nonsense", "POST", "api/songs", 422, 429, params={"name": "x.wav"}, content=b"no sound" * 99)
