"""Audio for the tests: made here, from the repository's own song, or real stems where the machine has them."""

from __future__ import annotations

import functools
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pytest
import soundfile


def threads(processes: int) -> str:
    """Return the threads of each process that runs tests, and of the commands it starts: its share of the cores."""
    return os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // processes))


# The process that distributes the tests (pytest-xdist) must not set this: the others would inherit its own share, which
# is all cores.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    os.environ["OMP_NUM_THREADS"] = threads(int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))

# What whoever runs the tests has added is not theirs to use.
os.environ["VOCALSEP_MODELS"] = os.path.join(tempfile.gettempdir(), "vocalsep-tests-have-no-models")


def pytest_xdist_auto_num_workers() -> int:
    """Return the number of processes of ``-n auto``: one more than cores, because tests often wait."""
    return (os.cpu_count() or 1) + 1


def pytest_configure(config: pytest.Config) -> None:
    """Start what all processes that run tests share."""
    processes = getattr(config.option, "tx", None)
    if processes and not hasattr(config, "workerinput") and os.name == "posix":
        fork_server.start(OMP_NUM_THREADS=threads(len(processes)))


def pytest_xdist_setupnodes(specs: list) -> None:
    """Fork the processes that run tests from the one that has imported everything."""
    for spec in specs:
        if os.name == "posix" and spec.popen and not spec.python:
            spec.python = fork_server.python_of_workers()


HERE = pathlib.Path(__file__).resolve().parent
REAL_SONG = HERE.parent.parent / "shared" / "data" / "everythingisfree" / "7.Francium"
DEMO = HERE.parent / "examples"
RATE = 44100
REPEATED_S = 10

# After the number of threads is set: it is read when libraries are loaded.
import fork_server  # noqa: E402


def tones(seconds: float, rate: int = RATE, channels: int = 2, seed: int = 0) -> np.ndarray:
    """A chord, a gliding 'voice' with vibrato and some noise: (channels, samples), peak about 0.5.

    What is long repeats itself, ever more quietly.
    """
    if seconds <= REPEATED_S:
        return _tones(seconds, rate, channels, seed).copy()
    part = _tones(REPEATED_S, rate, channels, seed)
    samples = round(seconds * rate)
    repeated = np.tile(part, (1, -(-samples // part.shape[1])))[:, :samples]
    return repeated * np.linspace(1, 0.7, samples, dtype=np.float32)


@functools.lru_cache(maxsize=16)
def _tones(seconds: float, rate: int, channels: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    chord = sum(np.sin(2 * np.pi * f * time + rng.uniform(0, 6)) for f in (110, 165, 220, 277))
    pitch = 330 * (1 + 0.02 * np.sin(2 * np.pi * 5.5 * time)) * (1 + 0.2 * np.sin(2 * np.pi * 0.4 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = sum(np.sin(k * phase) / k for k in range(1, 8) if k * 420 < rate / 2)
    mixed = [
        chord * 0.05 + voice * 0.1 * (1 - 0.3 * c) + 0.01 * rng.standard_normal(len(time)) for c in range(channels)
    ]
    return np.array(mixed, dtype=np.float32).reshape(channels, -1)


def write(path: pathlib.Path, audio: np.ndarray, rate: int = RATE, **options) -> pathlib.Path:
    """Write (channels, samples) with soundfile and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio.T, rate, **options)
    return path


def read(path: pathlib.Path, dtype: str = "float64") -> np.ndarray:
    """Read (channels, samples) with soundfile."""
    return soundfile.read(path, dtype=dtype, always_2d=True)[0].T


def sdr(truth: np.ndarray, estimate: np.ndarray) -> float:
    """Signal-to-distortion ratio in dB, one ratio for the whole."""
    return float(10 * np.log10((truth**2).sum() / ((truth - estimate) ** 2).sum()))


def vocalsep(*arguments: object, stdin: bytes | None = None, cwd: pathlib.Path | None = None):
    """Run the real command line in a process of its own; returns the finished process, output as bytes."""
    if fork_server.can_run():
        return fork_server.run([str(argument) for argument in arguments], stdin or b"", cwd, timeout=300)
    command = [sys.executable, "-m", "vocalsep", *map(str, arguments)]
    return subprocess.run(command, input=stdin or b"", capture_output=True, cwd=cwd, timeout=300)


def run_python(script: pathlib.Path, *arguments: object):
    """Run a Python script in a process of its own; returns the finished process, output as bytes."""
    if fork_server.can_run():
        return fork_server.run([str(argument) for argument in arguments], b"", None, timeout=300, script=str(script))
    command = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.run(command, input=b"", capture_output=True, timeout=300)


def start_vocalsep(*arguments: object, cwd: pathlib.Path | None = None):
    """Start the real command line in a process of its own; returns it with all its streams as pipes of bytes."""
    if fork_server.can_run():
        return fork_server.Process([str(argument) for argument in arguments], cwd)
    command = [sys.executable, "-m", "vocalsep", *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd)


@pytest.fixture(scope="session")
def separator():
    from vocalsep import Separator

    return Separator(backend="torch")


@pytest.fixture(scope="session")
def demo() -> dict[str, np.ndarray]:
    """The shipped song and its true stems, (2, samples) at 44.1 kHz."""
    return {
        "mixture": read(DEMO / "song.ogg"),
        "vocals": read(DEMO / "song-stems" / "vocals.ogg"),
        "accompaniment": read(DEMO / "song-stems" / "accompaniment.ogg"),
    }


@pytest.fixture(scope="session")
def real_stems() -> dict[str, np.ndarray]:
    """Vocals and accompaniment of 12 s of a produced validation song that no training has heard."""
    if not REAL_SONG.exists():
        pytest.skip("the shared stems are not on this machine")
    cut = slice(80 * RATE, 92 * RATE)
    return {stem: read(REAL_SONG / f"{stem}.ogg")[:, cut] for stem in ("vocals", "accompaniment")}
