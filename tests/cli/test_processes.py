"""Many songs at a time: in several processes, and on a Ray cluster."""

import json
import multiprocessing
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from conftest import RATE, read, tones, vocalsep, write

from vocalsep.audio.formats import FORMATS
from vocalsep.inference.engine import EngineSettings
from vocalsep.jobs.inputs import InputFile
from vocalsep.jobs.outputs import Encoding, OutputSpec, WriteOptions, single_stem
from vocalsep.jobs.planning import Job
from vocalsep.jobs.process_pool import run_in_processes

OPTIONS = WriteOptions(Encoding(FORMATS["wav"]))
SETTINGS = EngineSettings("default", "cpu", 1, None, False, "auto", "float32")


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    for number in range(5):
        write(folder / f"s{number}.wav", tones(1.0 + number / 5, seed=number), RATE)
    (folder / "s9 broken.wav").write_bytes(b"RIFF and nothing else")
    return folder


def test_several_processes_give_the_results_of_one(songs, tmp_path):
    one = vocalsep("split", songs, "--out", tmp_path / "one", "--threads", 1, "--json")
    two = vocalsep("split", songs, "--out", tmp_path / "two", "--threads", 1, "--json", "--jobs", 2)
    assert (one.returncode, two.returncode) == (1, 1)
    summary, expected = (json.loads(done.stdout) for done in (two, one))
    assert [file["status"] for file in summary["files"]] == [file["status"] for file in expected["files"]]
    assert [file["input"] for file in summary["files"]] == [file["input"] for file in expected["files"]]
    assert b"s9 broken.wav" in two.stderr
    for path in sorted((tmp_path / "one").rglob("*.wav")):
        other = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert other.read_bytes() == path.read_bytes()
    again = vocalsep("split", songs, "--out", tmp_path / "two", "--jobs", 2, "--skip-existing", "--json")
    assert [file["status"] for file in json.loads(again.stdout)["files"]] == ["skipped"] * 5 + ["failed"]


def jobs_of(songs, out):
    found = [InputFile(path) for path in sorted(songs.glob("s[0-4].wav"))]
    return [
        Job(song, tuple(OutputSpec(single_stem(s), out / f"{song.name}-{s}.wav") for s in ("vocals", "accompaniment")))
        for song in found
    ]


def test_killed_worker_process_loses_no_song(songs, tmp_path):
    jobs = jobs_of(songs, tmp_path)

    def kill():
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            children = multiprocessing.active_children()
            if children and list(tmp_path.glob(".vocalsep-*")):
                os.kill(children[0].pid, signal.SIGKILL)
                return
            time.sleep(0.005)

    killer = threading.Thread(target=kill)
    killer.start()
    outcomes = list(run_in_processes(jobs, OPTIONS, SETTINGS, 2))
    killer.join()
    assert sorted(outcome.source for outcome in outcomes) == sorted(str(job.file.path) for job in jobs)
    assert {outcome.status for outcome in outcomes} == {"done"}
    for job in jobs:
        stems = [read(output.target) for output in job.outputs]
        assert np.abs(sum(stems) - read(job.file.path)).max() < 1e-4


def test_closing_the_results_stops_all_processes(tmp_path):
    long = write(tmp_path / "long" / "song.wav", tones(60), RATE)
    others = [write(tmp_path / "long" / f"{n}.wav", tones(0.5), RATE) for n in range(2)]
    jobs = [
        Job(InputFile(path), (OutputSpec(single_stem("vocals"), tmp_path / f"{path.stem}.wav"),))
        for path in [*others, long]
    ]
    running = run_in_processes(jobs, OPTIONS, SETTINGS, 2)
    next(running)
    running.close()
    deadline = time.monotonic() + 20
    while multiprocessing.active_children() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not multiprocessing.active_children()
    assert not list(tmp_path.glob(".vocalsep-*"))


@pytest.mark.parametrize("seconds", [1, *(pytest.param(late, marks=pytest.mark.slow) for late in (2, 4))])
def test_interrupted_at_any_time_it_ends_soon_and_quietly(seconds, tmp_path):
    for number in range(6):
        write(tmp_path / "long" / f"{number}.wav", np.zeros((2, 60 * RATE)), RATE)
    command = [sys.executable, "-m", "vocalsep", "split", tmp_path / "long", "--out", tmp_path / "out", "--jobs", "2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    time.sleep(seconds)
    # As at a terminal, where the processes of the pool hear it too; and a second time, from the impatient.
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    interrupted = time.monotonic()
    _, stderr = process.communicate(timeout=120)
    assert time.monotonic() - interrupted < 30
    assert process.returncode == 130
    assert b"Traceback" not in stderr
    assert not list(tmp_path.rglob(".vocalsep-*"))


def living(group):
    """Processes of a group that are neither dead nor waiting to be buried."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, pgrp = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(pgrp) == group and state != "Z":
            found.append(path.parent.name)
    return found


@pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="looks processes up as Linux lists them")
@pytest.mark.parametrize("command", [pytest.param("split", marks=pytest.mark.slow), "evaluate"])
def test_worker_processes_end_with_a_killed_program(command, tmp_path):
    for number in range(3):
        for stem in ("vocals", "accompaniment"):
            write(tmp_path / f"songs/{number}/{stem}.wav", tones(40, seed=number), RATE)
    arguments = {
        "split": [str(tmp_path / "songs"), "--recursive", "--out", str(tmp_path / "out"), "--jobs", "2"],
        "evaluate": ["--stems", str(tmp_path / "songs"), "--jobs", "2"],
    }[command]
    process = subprocess.Popen(
        [sys.executable, "-m", "vocalsep", command, *arguments], stderr=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while len(living(process.pid)) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    while command == "split" and not list(tmp_path.rglob(".vocalsep-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 20
    while living(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not living(process.pid)
    assert not list(tmp_path.rglob(".vocalsep-*"))


@pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="looks processes up as Linux lists them")
def test_an_evaluation_that_loses_a_process_says_what_to_do(tmp_path):
    for number in range(3):
        for stem in ("vocals", "accompaniment"):
            write(tmp_path / f"songs/{number}/{stem}.wav", tones(20, seed=number), RATE)
    command = [sys.executable, "-m", "vocalsep", "evaluate", "--stems", str(tmp_path / "songs"), "--jobs", "2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    workers = []
    deadline = time.monotonic() + 60
    while not workers and time.monotonic() < deadline:
        time.sleep(0.05)
        started = {pid: pathlib.Path(f"/proc/{pid}/cmdline") for pid in living(process.pid)}
        workers = [pid for pid, line in started.items() if line.exists() and b"spawn_main" in line.read_bytes()]
    os.kill(int(workers[0]), signal.SIGKILL)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert b"one process needs less" in stderr
    assert b"Traceback" not in stderr


def test_an_unknown_model_is_one_line(songs, tmp_path):
    done = vocalsep("split", songs, "--out", tmp_path, "--jobs", 2, "--model", "nobody")
    assert done.returncode == 2
    assert b"unknown model" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("runner", [("--jobs", 2), ("--engine", "ray")])
def test_nothing_left_to_do_starts_no_process_and_no_cluster(runner, tmp_path):
    song = write(tmp_path / "a.wav", tones(0.3), RATE)
    assert vocalsep("split", song, "--out", tmp_path / "out", "--quiet").returncode == 0
    done = vocalsep("split", song, "--out", tmp_path / "out", "--skip-existing", *runner)
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"1 skipped" in done.stderr


def test_without_a_cluster_it_says_so(songs, tmp_path):
    done = vocalsep("split", songs, "--out", tmp_path, "--engine", "ray")
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert b"ray" in done.stderr.lower()


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("ray", path=pathlib.Path(sys.executable).parent) is None, reason="ray is not installed"
)
def test_a_cluster_that_loses_a_machine_loses_no_song(songs, tmp_path):
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)
    environment = {**os.environ, "RAY_ADDRESS": cluster.address}
    many = tmp_path / "many"
    for number in range(40):
        write(many / f"{number:02}.wav", tones(0.5 + number / 50, seed=number), RATE)
    command = [sys.executable, "-m", "vocalsep", "split", many, "--out", tmp_path / "far", "--engine", "ray", "--json"]
    try:
        process = subprocess.Popen([str(part) for part in command], env=environment, stdout=subprocess.PIPE)
        while len(list((tmp_path / "far").glob("*/vocals.wav"))) < 10:
            assert process.poll() is None
            time.sleep(0.05)
        cluster.remove_node(second, allow_graceful=False)
        summary = json.loads(process.communicate(timeout=300)[0])
    finally:
        cluster.shutdown()
    assert (summary["done"], summary["failed"]) == (40, 0)
    here = vocalsep("split", many, "--out", tmp_path / "here", "--threads", 1, "--quiet")
    assert here.returncode == 0
    for path in sorted((tmp_path / "here").rglob("*.wav")):
        assert np.abs(read(path) - read(tmp_path / "far" / path.relative_to(tmp_path / "here"))).max() < 1e-5
