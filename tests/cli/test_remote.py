"""Songs from and stems to where URLs point: memory and folders always, an S3 server where moto is installed."""

import json
import os
import subprocess
import sys
import uuid

import fsspec
import numpy as np
import pytest
import soundfile
from conftest import RATE, tones, write
from typer.testing import CliRunner

from vocalsep.cli.app import app


def invoke(*arguments):
    """In this process: its memory is the store."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def store(tmp_path):
    """A folder in memory with two songs, one of them deeper, and something that is none."""
    url = f"memory://{uuid.uuid4().hex}"
    for name, seed in (("a.wav", 1), ("album/b.flac", 2)):
        song = write(tmp_path / name, tones(1.0, seed=seed), RATE)
        with fsspec.open(f"{url}/songs/{name}", "wb") as file:
            file.write(song.read_bytes())
    with fsspec.open(f"{url}/songs/notes.txt", "wb") as file:
        file.write(b"la la")
    return url


def listed(url):
    system, path = fsspec.core.url_to_fs(url)
    return sorted(name.removeprefix(path).lstrip("/") for name in system.find(path))


def samples(url):
    with fsspec.open(url, "rb") as file:
        return soundfile.read(file, always_2d=True)[0].T


def test_from_a_store_to_a_store(store, tmp_path):
    done = invoke("split", f"{store}/songs", "--recursive", "--out", f"{store}/stems", "--quiet")
    assert done.exit_code == 0, done.output
    expected = ["a/accompaniment.wav", "a/vocals.wav", "album/b/accompaniment.wav", "album/b/vocals.wav"]
    assert listed(f"{store}/stems") == expected
    for song, stems in (("a.wav", "a"), ("album/b.flac", "album/b")):
        both = [samples(f"{store}/stems/{stems}/{stem}.wav") for stem in ("vocals", "accompaniment")]
        assert np.abs(sum(both) - samples(f"{store}/songs/{song}")).max() < 1e-4
    here = invoke("split", tmp_path / "a.wav", "--out", tmp_path / "out", "--quiet")
    assert here.exit_code == 0
    local = soundfile.read(tmp_path / "out/a/vocals.wav", always_2d=True)[0].T
    assert np.array_equal(samples(f"{store}/stems/a/vocals.wav"), local)


def test_to_this_machine_and_from_it(store, tmp_path):
    one = invoke("split", f"{store}/songs/a.wav", "--out", tmp_path / "out", "--stem", "vocals", "--quiet")
    assert one.exit_code == 0, one.output
    assert [path.name for path in (tmp_path / "out").rglob("*.wav")] == ["vocals.wav"]
    two = invoke("karaoke", tmp_path / "a.wav", "--out", f"{store}/karaoke", "--format", "flac", "--quiet")
    assert two.exit_code == 0, two.output
    assert listed(f"{store}/karaoke") == ["a (karaoke).flac"]


def test_what_is_there_is_refused_skipped_or_replaced(store):
    arguments = ("split", f"{store}/songs/a.wav", "--out", f"{store}/stems", "--stem", "vocals")
    assert invoke(*arguments, "--quiet").exit_code == 0
    refused = invoke(*arguments)
    assert refused.exit_code == 2
    assert "exists already; --overwrite replaces" in refused.output
    skipped = json.loads(invoke(*arguments, "--skip-existing", "--json", "--quiet").stdout)
    assert (skipped["skipped"], skipped["done"]) == (1, 0)
    assert skipped["files"][0]["outputs"]["vocals"] == f"{store}/stems/a/vocals.wav"
    assert invoke(*arguments, "--overwrite", "--quiet").exit_code == 0


def test_a_folder_as_a_url_gets_whole_files_only(store, tmp_path):
    out = f"file://{tmp_path / 'far'}"
    assert invoke("split", f"{store}/songs/a.wav", "--out", out, "--quiet").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "far/a").iterdir()) == ["accompaniment.wav", "vocals.wav"]


@pytest.mark.parametrize(
    ("song", "out", "message"),
    [
        ("{store}/nothing.wav", "{tmp}", "no audio files there"),
        ("{store}/songs/a.wav", "nosuch://bucket", "nosuch"),
        ("nosuch://bucket/a.wav", "{tmp}", "nosuch"),
        ("{store}/songs/notes.txt", "{tmp}", "audio"),
    ],
)
def test_what_cannot_be_reached_is_one_line(store, tmp_path, song, out, message):
    done = invoke("split", song.format(store=store), "--out", out.format(tmp=tmp_path / "out", store=store))
    assert done.exit_code == 2
    lines = [line for line in done.output.splitlines() if not line.startswith("model ")]
    assert message in lines[0]
    assert len(lines) == 1


def test_an_object_store(tmp_path):
    pytest.importorskip("moto")
    pytest.importorskip("s3fs")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    song = write(tmp_path / "song.wav", tones(1.0), RATE)
    try:
        code = (
            "import sys, s3fs; s = s3fs.S3FileSystem(); s.mkdir('store'); s.put_file(sys.argv[1], 'store/in/song.wav')"
        )
        subprocess.run([sys.executable, "-c", code, song], env=environment, check=True, timeout=60)
        command = [sys.executable, "-m", "vocalsep", "split", "s3://store/in", "--out", "s3://store/out", "--jobs", "2"]
        done = subprocess.run([*command, "--quiet"], env=environment, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr.decode()
        code = "import sys, s3fs; s3fs.S3FileSystem().get('store/out', sys.argv[1], recursive=True)"
        subprocess.run([sys.executable, "-c", code, tmp_path / "got"], env=environment, check=True, timeout=60)
    finally:
        server.stop()
    stems = [
        soundfile.read(tmp_path / f"got/song/{stem}.wav", always_2d=True)[0] for stem in ("vocals", "accompaniment")
    ]
    assert np.abs(sum(stems) - soundfile.read(song, always_2d=True)[0]).max() < 1e-4
