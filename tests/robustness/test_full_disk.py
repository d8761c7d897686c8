"""Full and read-only disks, for every command that writes: one line, nothing half done, and well once there is room."""

import pathlib
import subprocess
import sys
import time

import pytest
from conftest import RATE, tones, vocalsep, write
from faults.cases import TRAINING, write_stems
from faults.disks import fill, read_only, small_disk
from test_studio import opened

SONG_S = 6


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    folder = tmp_path_factory.mktemp("material")
    for number in range(2):
        write(folder / f"songs/{number}.wav", tones(SONG_S, seed=number), RATE)
    write_stems(folder / "stems", 2, 3)
    (folder / "small.toml").write_text(TRAINING.replace("steps = 300", "steps = 50"))
    return folder


def commands(material, out):
    """Every command that writes, by name, and whether it can be started again after it was refused."""
    song, songs, stems = material / "songs/0.wav", material / "songs", material / "stems"
    scoring = ("--stems", stems, "--oracles", "IRM1", "--metrics", "usdr", "--jobs", 1)
    start = ("--resume",) if (out / "config.toml").exists() else ("--config", material / "small.toml", "--stems", stems)
    return {
        "split": ("split", song, "--out", out),
        "batch": ("split", songs, "--out", out, "--jobs", 2, "--format", "flac"),
        "karaoke": ("karaoke", song, "--out", out, "--format", "m4a"),
        "karaoke video": ("karaoke", song, "--out", out, "--video", "--size", "320x180"),
        "plot": ("plot", song, "--out", out / "a.png", "--duration", 1),
        "export": ("export", out / "a.onnx"),
        "evaluate": ("evaluate", *scoring, "--out", out),
        "train": ("train", *start, "--out", out, "--workers", 0, "--threads", 1),
    }


def refused(done, words):
    """Check that a command was refused in one line, and return it."""
    assert done.returncode == 2, done.stderr.decode()
    lines = [line for line in done.stderr.decode().splitlines() if not line.startswith(("model ", "unet, ", "step "))]
    assert all("Traceback" not in line for line in lines)
    assert any(word in line for line in lines for word in words), lines
    assert len(lines) <= 3, lines


def files(place):
    return {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "name",
    [
        "split",
        "karaoke",
        "karaoke video",
        "plot",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("batch", "evaluate", "export", "train")),
    ],
)
def test_a_disk_that_is_full_or_read_only(name, material, tmp_path):
    if name == "export":
        pytest.importorskip("onnxscript")
    with small_disk(tmp_path / "disk", 12_000) as disk:
        full = fill(disk, leave=8)
        refused(vocalsep(*commands(material, disk / "out")[name]), ["the disk is full"])
        # What a run or an evaluation has finished stays, whole.
        assert not [path for path in files(disk) if ".vocalsep-" in path]
        assert name in ("train", "evaluate") or files(disk) == {"fill"}
        full.unlink()
        if name in ("split", "evaluate", "train"):
            command = commands(material, disk / "out")[name]
            with read_only(disk):
                refused(vocalsep(*command), ["read-only file system"])
            done = vocalsep(*command)
            assert done.returncode == 0, done.stderr.decode()
            assert files(disk)


def test_full_disk_during_a_batch_fails_only_songs_that_do_not_fit(material, tmp_path):
    with small_disk(tmp_path / "disk", round(3.5 * SONG_S * RATE * 4 / 1024)) as disk:
        command = ("split", material / "songs", "--out", disk / "out", "--skip-existing", "--threads", 1)
        done = vocalsep(*command)
        assert done.returncode == 1
        assert done.stderr.decode().count("the disk is full") == 1
        assert len(files(disk)) == 2
        for path in (disk / "out").rglob("*.wav"):
            path.unlink()
        assert vocalsep(*command, "--stem", "vocals").returncode == 0


@pytest.mark.slow
def test_full_disk_during_training_keeps_the_last_checkpoint(material, tmp_path):
    with small_disk(tmp_path / "disk", 12_000) as disk:
        out = disk / "out"
        fill(disk, leave=90)
        refused(vocalsep(*commands(material, out)["train"]), ["the disk is full"])
        assert not [path for path in files(disk) if ".vocalsep-" in path]
        (disk / "fill").unlink()
        done = vocalsep(*commands(material, out)["train"])
        assert done.returncode == 0, done.stderr.decode()
        assert (out / "model.safetensors").exists()


@pytest.mark.slow
def test_full_disk_for_tensorboard_events_ends_the_training(material, tmp_path):
    with small_disk(tmp_path / "out/tensorboard", 4) as disk:
        fill(disk)
        refused(vocalsep(*commands(material, tmp_path / "out")["train"]), ["tensorboard: cannot be written"])


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", ["split - --out - --stem vocals", "models --json"])
def test_standard_output_on_a_full_disk(command, material):
    with open("/dev/full", "wb") as full, (material / "songs/0.wav").open("rb") as song:
        line = [sys.executable, "-m", "vocalsep", *command.split()]
        done = subprocess.run(line, stdin=song, stdout=full, stderr=subprocess.PIPE, timeout=120)
    refused(done, ["standard output cannot be written: the disk is full"])


def test_studio_on_a_full_disk_refuses_songs(material, tmp_path):
    with small_disk(tmp_path / "disk", 8000) as disk, opened(disk / "library") as studio:
        small = write(tmp_path / "small.wav", tones(0.1), RATE)
        full = fill(disk, leave=20)
        for _ in range(3):
            assert studio.post(small, "small.wav").status_code == 507
        assert studio.http.get("api/songs").json() == []
        assert files(disk) == {"fill"}
        full.unlink()
        song = studio.post(small, "small.wav").json()
        assert studio.until(song["id"], "done", "failed")["state"] == "done"
        full = fill(disk)
        for kind, form in (("mix", "wav"), ("mix", "m4a"), ("stem_file", "wav"), ("stems", "wav")):
            export = studio.ended_export(studio.start_export(song["id"], kind=kind, format=form)["id"])
            assert (export["state"], "the disk is full" in export["error"]) == ("failed", True), export
        assert studio.http.post(f"api/songs/{song['id']}/versions?key=1").status_code == 507
        assert not files(disk / "library/.scratch")
        full.unlink()
        with read_only(disk):
            assert studio.post(small, "small.wav").status_code == 500
            # Of so much, some is still being sent when the file cannot be created.
            assert studio.post(b"RIFF" * 500_000, "large.wav").status_code == 500
            export = studio.ended_export(studio.start_export(song["id"], kind="mix", format="flac")["id"])
            assert "read-only" in export["error"].lower()
            settings = studio.http.patch(f"api/songs/{song['id']}/settings", json={"key": 1})
            assert settings.status_code == 500
            assert "read-only" in settings.json()["detail"].lower()
            assert studio.http.get(f"api/songs/{song['id']}/stems/vocals.wav").status_code == 200
        assert studio.download(song["id"], kind="mix", format="flac")[1].status_code == 200


def test_a_studio_on_a_read_only_disk_says_so(tmp_path):
    with small_disk(tmp_path / "disk", 1000) as disk, read_only(disk):
        refused(vocalsep("serve", "--port", 0, "--library", disk / "library"), ["read-only", "Read-only"])


def test_downloads_leave_nothing_behind_whatever_is_asked(material, tmp_path):
    with opened(tmp_path / "library") as studio:
        song = studio.post(write(tmp_path / "s.wav", tones(0.2), RATE), "s.wav").json()
        assert studio.until(song["id"], "done", "failed")["state"] == "done"
        export, _ = studio.download(song["id"], kind="mix", format="wav")
        for asked in ("bytes=9-2", "nonsense", "bytes=99999999-"):
            assert studio.http.get(export["url"], headers={"range": asked}).status_code == 416
        with studio.http.stream("GET", export["url"]):
            pass
        zipped = studio.start_export(song["id"], kind="stems")
        for made in (export, zipped):
            assert studio.http.delete(f"api/exports/{made['id']}").status_code == 204
        deadline = time.monotonic() + 5
        while files(tmp_path / "library/.scratch") and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not files(tmp_path / "library/.scratch")
