"""Two programs in one place at the same time: both results whole and equal, or one is refused in one line."""

import functools
import threading
import time

import pytest
from conftest import RATE, start_vocalsep, tones, vocalsep, write
from faults.cases import TRAINING, write_stems

from vocalsep.dsp.exact_sum import STEMS
from vocalsep.errors import OutputError
from vocalsep.system.atomic_files import Pending

httpx = pytest.importorskip("httpx")
pytest.importorskip("fastapi")
from test_studio import opened  # noqa: E402

from vocalsep.studio.library import DONE, Library  # noqa: E402
from vocalsep.studio.stems import encode_pcm  # noqa: E402
from vocalsep.studio.versions import Versions  # noqa: E402


def both(*commands):
    """Run commands at the same time; returns code and standard error of each."""
    running = [start_vocalsep(*command) for command in commands]
    stderrs = [process.communicate(timeout=120)[1].decode() for process in running]
    return [(process.returncode, stderr) for process, stderr in zip(running, stderrs, strict=True)]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("more", [(), ("--overwrite",)])
def test_two_splits_of_a_song(more, tmp_path):
    song = write(tmp_path / "song.wav", tones(10), RATE)
    command = ("split", song, "--quiet", "--threads", 1)
    assert vocalsep(*command, "--out", tmp_path / "alone").returncode == 0
    ends = both(*[(*command, "--out", tmp_path / "out", *more)] * 2)
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")
    assert sorted(code for code, _ in ends) == ([0, 0] if more else [0, 2])
    for code, stderr in ends:
        assert ("exist" in stderr and len(stderr.splitlines()) == 1) if code else stderr == ""


def test_a_second_training_in_a_folder_is_refused(tmp_path):
    write_stems(tmp_path / "songs", 2, 3)
    (tmp_path / "small.toml").write_text(TRAINING.replace("steps = 300", "steps = 10"))
    begin = ("train", "--config", tmp_path / "small.toml", "--stems", tmp_path / "songs", "--workers", 0, "--quiet")
    first = (*begin, "--threads", 1, "--out", tmp_path / "run")
    ends = sorted(both(first, first))
    assert [code for code, _ in ends] == [0, 2]
    assert ends[0][1] == ""
    assert len(ends[1][1].splitlines()) == 1
    assert "another vocalsep is at work in" in ends[1][1] or "holds a run already" in ends[1][1]
    assert (tmp_path / "run/model.safetensors").exists()


def test_second_studio_of_a_library_is_refused(tmp_path):
    library = tmp_path / "library"
    with opened(library) as studio:
        song = studio.post(write(tmp_path / "s.wav", tones(20), RATE), "s.wav").json()
        upload = library / ".scratch/upload.wav"
        upload.touch()
        second = vocalsep("serve", "--port", 0, "--library", library)
        assert second.returncode == 2
        assert len(second.stderr.splitlines()) == 1
        assert b"another vocalsep is at work in" in second.stderr
        assert upload.exists()
        assert studio.until(song["id"], "done", "failed")["state"] == "done"
    with opened(library) as studio:
        assert len(studio.http.get("api/songs").json()) == 1


@pytest.mark.parametrize("rounds", [5, pytest.param(10, marks=pytest.mark.slow)])
def test_concurrent_restarts_and_deletions_of_a_song(rounds, tmp_path):
    with opened(tmp_path / "library") as studio:
        first = studio.post(write(tmp_path / "long.wav", tones(30), RATE), "long.wav").json()["id"]
        song = studio.post(write(tmp_path / "s.wav", tones(1), RATE), "s.wav").json()["id"]
        assert studio.http.post(f"api/songs/{song}/cancel").json()["state"] == "cancelled"
        codes = at_once(8, lambda _: studio.http.post(f"api/songs/{song}/restart").status_code)
        assert sorted(codes) == [200] + [409] * 7
        studio.http.post(f"api/songs/{first}/cancel")
        assert studio.until(song, "done", "failed")["state"] == "done"
        for _ in range(rounds):
            studio.http.post(f"api/songs/{first}/cancel")
            paths = [("POST", f"{first}/restart"), ("POST", f"{first}/cancel")] * 3
            at_once(6, lambda place, asked=paths: studio.http.request(asked[place][0], f"api/songs/{asked[place][1]}"))
        calls = [("POST", f"{first}/restart"), ("DELETE", first)] * 3
        at_once(6, lambda place: studio.http.request(calls[place][0], f"api/songs/{calls[place][1]}"))
        assert studio.http.get(f"api/songs/{first}").status_code == 404
        assert [listed["id"] for listed in studio.http.get("api/songs").json()] == [song]
        assert not (tmp_path / "library" / first).exists()


def test_failed_outputs_keep_folders_that_others_use(tmp_path):
    failed = []

    def write_and_drop(number):
        for _ in range(1500):
            try:
                with Pending(tmp_path / f"a/b/{number}.wav", overwrite=True):
                    pass
            except OutputError as error:
                failed.append(str(error))

    at_once(3, write_and_drop)
    assert failed == []


def at_once(count, work):
    """Call `work` with 0, 1, ... in as many threads, and return what it returned."""
    results = [None] * count
    gate = threading.Barrier(count)

    def call(place):
        gate.wait()
        results[place] = work(place)

    threads = [threading.Thread(target=call, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads)
    return results


def test_a_version_can_be_opened_while_it_is_completed(tmp_path):
    library = Library(tmp_path / "library")
    upload = write(library.temporary_folder / "s.wav", tones(1), RATE)
    song = library.add(upload, "s.wav", state=DONE, channels=2, sample_rate=RATE)
    for stem in STEMS:
        library.stem(song, stem).write_bytes(encode_pcm(tones(1), 16))
    song = library.update(song, samples=RATE, ready=RATE)
    versions = Versions(library)

    def open_often(place, key, made):
        if place == 0:
            versions.make(song, key, 100, 0.0, lambda: None)
            made.set()
        made.wait(timeout=60)
        version = versions
        while version is not None:
            file, version = versions.open(song, STEMS[place % 2], key, 100)
            file.close()
        return True

    for key in range(1, 13):
        assert all(at_once(3, functools.partial(open_often, key=key, made=threading.Event())))
