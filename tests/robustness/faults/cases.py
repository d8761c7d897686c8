"""Commands that are killed, what must hold after each kill, and what must be there in the end."""

from __future__ import annotations

import abc
import json
import pathlib
import shutil
import subprocess
import sys
import time
import urllib.request

import numpy as np
from conftest import RATE, tones, vocalsep, write
from small_training import SMALL_RATE, small_config

TRAINING = small_config(steps=300, warmup=5, validate_every=50, checkpoint_minutes=0.002)


def write_stems(folder: pathlib.Path, songs: int, seconds: int) -> None:
    """Write songs to train and to score on, 0, 1, ..., whose stems are tones and noise."""
    for number in range(songs):
        rest = 0.05 * np.random.default_rng(number).standard_normal((2, seconds * SMALL_RATE))
        write(folder / f"{number}/vocals.wav", tones(seconds, SMALL_RATE, 2, number), SMALL_RATE)
        write(folder / f"{number}/accompaniment.wav", rest, SMALL_RATE)


class Case(abc.ABC):
    """One command, in a folder of its own."""

    name: str

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.out = folder / "out"

    @abc.abstractmethod
    def command(self) -> list[object]:
        """The command as a user would give it now, to begin or to go on."""

    @abc.abstractmethod
    def results(self) -> dict[str, bytes]:
        """What stands under final names, by name."""

    def whole(self, results: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
        """Complaints about what a kill has left: by default, whatever is there has to be as it is in the end."""
        return [name for name, content in results.items() if expected.get(name) != content]

    def lasting(self, results: dict[str, bytes]) -> dict[str, bytes]:
        """Those of the finished results that do not tell of times."""
        return results

    def start(self) -> subprocess.Popen[bytes]:
        """Begin the command, in a session of its own."""
        line = [sys.executable, "-m", "vocalsep", *map(str, self.command())]
        return subprocess.Popen(
            line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True, cwd=self.folder
        )

    def finish(self) -> None:
        """Run the command to its end."""
        done = vocalsep(*self.command(), cwd=self.folder)
        if done.returncode:
            raise AssertionError(f"{self.name} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")

    def reset(self) -> None:
        """Take away what the command has made."""
        shutil.rmtree(self.out, ignore_errors=True)


class Split(Case):
    """One song."""

    name = "split"

    def __init__(self, folder: pathlib.Path):
        super().__init__(folder)
        write(folder / "song.flac", tones(60), RATE)

    def command(self) -> list[object]:
        return ["split", "song.flac", "--out", "out", "--overwrite", "--threads", 1]

    def results(self) -> dict[str, bytes]:
        return _files(self.out, "*.wav")


class Batch(Split):
    """Songs in two processes."""

    name = "batch"

    def __init__(self, folder: pathlib.Path):
        super().__init__(folder)
        for number in range(5):
            write(folder / f"songs/{number}.wav", tones(20, seed=number), RATE)

    def command(self) -> list[object]:
        return ["split", "songs", "--out", "out", "--skip-existing", "--jobs", 2, "--threads", 1]


class Train(Case):
    """A training, which is resumed."""

    name = "train"

    def __init__(self, folder: pathlib.Path):
        super().__init__(folder)
        write_stems(folder / "songs", 4, 6)
        (folder / "small.toml").write_text(TRAINING)

    def command(self) -> list[object]:
        # What begins a run says that it goes on with --resume once the folder holds its settings.
        if (self.out / "config.toml").exists():
            return ["train", "--resume", "--out", "out", "--workers", 0, "--threads", 1]
        start = ["train", "--config", "small.toml", "--stems", "songs", "--out", "out"]
        return [*start, "--workers", 0, "--threads", 1]

    def results(self) -> dict[str, bytes]:
        return _files(self.out, "*.safetensors")

    def whole(self, results: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
        return [name for name, content in results.items() if not _is_safetensors(content)]

    def lasting(self, results: dict[str, bytes]) -> dict[str, bytes]:
        return {"model.safetensors": results["model.safetensors"]}


class Evaluate(Train):
    """An evaluation, which keeps what is finished."""

    name = "evaluate"

    def command(self) -> list[object]:
        return ["evaluate", "--stems", "songs", "--oracles", "IRM1", "--metrics", "usdr,nsdr", "--out", "out"]

    def results(self) -> dict[str, bytes]:
        return {**_files(self.out, "*.json"), **_files(self.out, "*.csv")}

    def whole(self, results: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
        return [name for name, content in results.items() if name.endswith(".json") and not _is_json(content)]

    def lasting(self, results: dict[str, bytes]) -> dict[str, bytes]:
        return {"results.csv": results["results.csv"]}


class Studio(Split):
    """The studio, with a song that is being separated."""

    name = "studio"
    port = 0

    def command(self) -> list[object]:
        return ["serve", "--port", self.port, "--library", "out", "--threads", 1]

    def start(self) -> subprocess.Popen[bytes]:
        process = super().start()
        address = self._address(process)
        songs = _asked(f"{address}api/songs")
        if not songs:
            _asked(f"{address}api/songs?name=song.flac", (self.folder / "song.flac").read_bytes())
        for song in songs:
            if song["state"] not in ("done", "queued", "running"):
                _asked(f"{address}api/songs/{song['id']}/restart", b"")
        return process

    def finish(self) -> None:
        """Wait until the song is done, and end the studio."""
        process = self.start()
        try:
            address = self.address
            deadline = time.monotonic() + 300
            while (state := _asked(f"{address}api/songs")[0]["state"]) != "done":
                if state == "failed" or time.monotonic() > deadline:
                    raise AssertionError(f"studio: the song is {state}")
                time.sleep(0.05)
        finally:
            process.terminate()
            process.communicate()

    def results(self) -> dict[str, bytes]:
        """The stems of songs that are done: those of others grow."""
        done = {}
        for path in self.out.glob("*/song.json"):
            if json.loads(path.read_text("utf-8"))["state"] == "done":
                done |= {stem.name: stem.read_bytes() for stem in path.parent.glob("*.pcm")}
        return done

    def _address(self, process: subprocess.Popen[bytes]) -> str:
        lines = []
        for line in process.stderr or ():
            lines.append(line.decode(errors="replace"))
            if lines[-1].startswith("studio: "):
                self.address = lines[-1].split()[1]
                return self.address
        raise AssertionError(f"studio did not start: {''.join(lines)}")


CASES = {case.name: case for case in (Split, Batch, Train, Evaluate, Studio)}


def _files(folder: pathlib.Path, pattern: str) -> dict[str, bytes]:
    found = [path for path in folder.rglob(pattern) if not path.name.startswith(".")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found if path.is_file()}


def _is_safetensors(content: bytes) -> bool:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        load(content)
    except SafetensorError:
        return False
    return True


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


def _asked(address: str, body: bytes | None = None) -> list[dict[str, object]]:
    with urllib.request.urlopen(urllib.request.Request(address, data=body), timeout=60) as answer:
        found: list[dict[str, object]] = json.loads(answer.read())
        return found
