"""The scripts that users copy, run as they are."""

import csv
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import typing
import zipfile

import numpy as np
import pytest
from conftest import DEMO, RATE, read, run_python, sdr, tones, vocalsep, write

from vocalsep.cli.studio import PORT
from vocalsep.comparison.candidates import candidates
from vocalsep.comparison.measurement import ModelMeasurement
from vocalsep.comparison.table import as_markdown
from vocalsep.training.config import TrainingConfig, read_toml


def run(*command: object, **options) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment, **options)


def run_script(script: pathlib.Path, *arguments: object) -> subprocess.CompletedProcess:
    done = run_python(script, *arguments)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def test_separate_song(tmp_path):
    song = write(tmp_path / "song.wav", tones(1.0))
    done = run_script(DEMO / "separate_song.py", song)
    assert done.returncode == 0, done.stderr
    assert read(tmp_path / "song" / "vocals.wav").shape == (2, RATE)
    assert "no such file" in run_script(DEMO / "separate_song.py", tmp_path / "gone.wav").stderr


def test_stream_levels(tmp_path):
    done = run_script(DEMO / "stream_levels.py", write(tmp_path / "song.wav", tones(2.0)))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1].startswith("up to    2.0 s: vocals")


@pytest.mark.skipif(os.name != "posix", reason="a shell script")
def test_karaoke_folder(tmp_path):
    if shutil.which("vocalsep", path=f"{pathlib.Path(sys.executable).parent}") is None:
        pytest.skip("the vocalsep command is not installed")
    write(tmp_path / "songs" / "album" / "song.wav", tones(1.0))
    for _ in range(2):
        done = run("sh", DEMO / "karaoke_folder.sh", tmp_path / "songs", tmp_path / "out")
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "album" / "song (karaoke).mp3").exists()
    assert "1 skipped" in done.stderr


def test_the_shipped_song_and_its_stems_fit_together(demo):
    length = demo["mixture"].shape[1]
    assert 20 * RATE < length < 30 * RATE
    assert demo["vocals"].shape == demo["accompaniment"].shape == (2, length)
    error = demo["mixture"] - demo["vocals"] - demo["accompaniment"]
    assert (error**2).sum() < (demo["mixture"] ** 2).sum() / 100
    for path in (DEMO / "song.ogg", *(DEMO / "song-stems").iterdir()):
        assert path.stat().st_size < 1_000_000


def test_the_song_is_made_with_espeak_or_not_at_all(tmp_path):
    environment = {**os.environ, "PATH": ""}
    script = [sys.executable, str(DEMO / "make_song.py"), "--out", str(tmp_path)]
    done = subprocess.run(script, capture_output=True, text=True, env=environment)
    assert done.returncode == 2
    assert "espeak-ng" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_container_serves_a_studio():
    text = (DEMO / "Dockerfile").read_text("utf-8")
    parts = (re.search(rf"^{line} (.*)$", text, re.MULTILINE)[1] for line in ("ENTRYPOINT", "CMD"))
    command = [word for part in parts for word in json.loads(part)]
    assert command[0] == "vocalsep"
    # Help is printed only where the options before it are known.
    done = run(sys.executable, "-m", *command, "--help")
    assert done.returncode == 0, done.stderr
    assert f"EXPOSE {PORT}\n" in text
    assert f"VOLUME {command[command.index('--library') + 1]}\n" in text


@pytest.mark.slow
def test_the_container_is_made_of_what_the_package_needs(tmp_path):
    pytest.importorskip("hatchling")
    everything, *kept = (DEMO / "Dockerfile.dockerignore").read_text("utf-8").splitlines()[1:-1]
    assert everything == "*"
    for name in kept:
        source, copy = (folder / name.removeprefix("!") for folder in (DEMO.parent, tmp_path))
        copy.parent.mkdir(exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, copy)
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "wheels", cwd=tmp_path)
    assert built.returncode == 0, built.stderr
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        assert {"vocalsep/studio/page/index.html", "vocalsep/models/default.onnx"} <= set(file.namelist())


def test_the_table_of_architectures_is_the_one_in_the_log():
    types = typing.get_type_hints(ModelMeasurement)
    with (DEMO / "architectures.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            ModelMeasurement(**{name: types[name](value) for name, value in row.items()})
            for row in csv.DictReader(file)
        ]
    assert as_markdown(rows) in (DEMO.parent / "models" / "README.md").read_text("utf-8")
    assert {row.name for row in rows} == set(read_toml(DEMO / "compare.toml")["models"])
    assert (DEMO / "architectures.png").read_bytes().startswith(b"\x89PNG")


def test_no_example_is_without_a_test():
    tested = pathlib.Path(__file__).read_text("utf-8")
    # test_documents.py checks documents, and that what they show is there; test_api_pages.py makes what is in api.
    examples = [path for path in DEMO.iterdir() if path.name != "__pycache__"]
    scripts = [path for path in examples if path.suffix not in (".toml", ".md", ".png")]
    assert [path.name for path in scripts if path.name not in tested] == []


def test_the_training_recipe_is_one():
    config = TrainingConfig.from_dict(read_toml(DEMO / "train.toml"))
    assert [entry.kind for entry in config.data.sets] == ["musdb", "stems", "voices"]
    assert config.training.steps == 20000


def test_leakage_measures_both_folders(tmp_path):
    for name in ("music", "singing"):
        write(tmp_path / name / "a.wav", tones(3.0))
    folders = ("--instrumentals", tmp_path / "music", "--voices", tmp_path / "singing")
    done = run_script(DEMO / "leakage.py", *folders)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert "vocals" in first
    assert "accompaniment" in second
    assert all(float(line.split(" dB below")[0].rsplit(" ", 1)[1]) > -1 for line in (first, second))


def test_labels_are_sorted_by_singing_and_agreement(tmp_path):
    mixture = read(DEMO / "song.ogg")
    vocals = read(DEMO / "song-stems" / "vocals.ogg")
    length = 6 * RATE
    mixture, vocals = mixture[:, :length], vocals[:, :length]
    quiet = 0.001 * vocals
    for name, label in (("sung", vocals), ("silent", quiet), ("wrong", mixture - vocals)):
        write(tmp_path / f"labels/{name}/vocals.wav", label)
        write(tmp_path / f"labels/{name}/accompaniment.wav", mixture - label)
    done = run_script(DEMO / "screen_labels.py", tmp_path / "labels", tmp_path / "out")
    assert done.stdout.strip() == "1 songs, 1 instrumentals, 1 dropped", done.stderr
    assert [path.name for path in (tmp_path / "out/songs").iterdir()] == ["sung"]
    assert np.array_equal(
        read(tmp_path / "out/instrumentals/silent.wav"), read(tmp_path / "labels/silent/accompaniment.wav")
    )
    assert len((tmp_path / "out/labels.tsv").read_text().splitlines()) == 4


@pytest.mark.parametrize("recipe", sorted(DEMO.glob("*.toml")), ids=lambda path: path.name)
def test_recipes_are_understood(recipe):
    tables = read_toml(recipe)
    assert candidates(tables, [], pathlib.Path("out")) if "models" in tables else TrainingConfig.from_dict(tables)


def test_a_client_of_the_studio(tmp_path):
    pytest.importorskip("fastapi")
    from test_studio import opened

    song = write(tmp_path / "song.wav", tones(1.0))
    with opened(tmp_path / "library") as studio:
        done = run_script(DEMO / "studio_client.py", song, studio.address)
        assert done.returncode == 0, done.stderr
        bad = tmp_path / "bad.wav"
        bad.write_bytes(b"no song")
        assert run_script(DEMO / "studio_client.py", bad, studio.address).returncode != 0
    assert read(tmp_path / "song.karaoke.flac").shape == (2, RATE)


def halving_peer(folder):
    """What stands for Spleeter: half of the mixture is vocals."""
    peer = folder / "peer.py"
    peer.write_text("load = list\n\ndef separate(networks, mixture):\n    return mixture / 2, mixture / 2\n")
    return peer


def test_another_separators_estimates_can_be_scored(tmp_path):
    for stem, seed in (("vocals", 1), ("accompaniment", 2)):
        write(tmp_path / "songs" / "a" / f"{stem}.wav", tones(2.0, 16000, channels=1, seed=seed), 16000)
    peer = halving_peer(tmp_path)
    songs = ("--stems", tmp_path / "songs", "--snr", 0)
    done = run_script(DEMO / "spleeter_estimates.py", peer, tmp_path / "out", *songs)
    assert done.returncode == 0, done.stderr
    options = ("--oracles", "none", "--metrics", "usdr", "--json")
    scored = vocalsep("evaluate", *songs, "--estimates", tmp_path / "out", *options)
    assert scored.returncode == 0, scored.stderr
    (track,) = json.loads(scored.stdout)["tracks"]
    (row,) = [scores for name, scores in track["scores"].items() if name != "mixture"]
    vocals, accompaniment = (read(tmp_path / "songs" / "a" / f"{stem}.wav") for stem in ("vocals", "accompaniment"))
    vocals *= np.sqrt((accompaniment**2).mean() / (vocals**2).mean())
    assert row["vocals"]["uSDR"] == pytest.approx(sdr(vocals, (vocals + accompaniment) / 2), abs=0.05)


def test_scores_at_many_places_of_the_grid(tmp_path):
    stems = {stem: tones(3.0, seed=seed) for stem, seed in (("vocals", 1), ("accompaniment", 2))}
    for stem, audio in stems.items():
        for song in "ab":
            write(tmp_path / "songs" / song / f"{stem}.wav", audio, subtype="FLOAT")
    peer = halving_peer(tmp_path)
    options = ("--stems", tmp_path / "songs", "--spleeter", peer, "--model", "default", "--shifts", 2)
    done = run_script(DEMO / "grid.py", *options)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    mixture = sum(stems.values())
    ratios = " / ".join(f"{sdr(audio, mixture / 2):.2f}" for audio in stems.values())
    assert first.startswith(f"Spleeter: uSDR {ratios}; median second ")
    assert second.startswith("default: uSDR ")
    # Both songs are the same, so that their differences are, too.
    assert second.count("better by") == 2
    assert second.count("(0.00)") == 4


def test_training_on_a_gpu_takes_parts_that_arrive_and_goes_on_after_a_kill(tmp_path):
    """A few steps of a tiny network, without a GPU."""
    from safetensors import safe_open

    from vocalsep import Separator

    for name in ("one", "two"):
        for seed, stem in enumerate(("vocals", "accompaniment")):
            write(tmp_path / "songs" / name / f"{stem}.wav", tones(4.0, seed=seed))
    gpu, parts, out = DEMO / "gpu", tmp_path / "parts", tmp_path / "run" / "out"
    packed = run_script(gpu / "pack.py", parts, "--stems", tmp_path / "songs", "--valid-stems",
                 tmp_path / "songs")  # fmt: skip
    assert packed.returncode == 0, packed.stderr
    recipe = (gpu / "small.toml").read_text().replace("[80, 128, 176, 224]", "[4, 6]")
    recipe = recipe.replace("frames = 256", "frames = 32").replace("batch_size = 48", "batch_size = 2")
    (tmp_path / "tiny.toml").write_text(recipe)
    command = [str(part) for part in (sys.executable, gpu / "train.py", parts, tmp_path / "run", "--recipe",
               tmp_path / "tiny.toml", "--device", "cpu", "--minutes", 5)]  # fmt: skip
    first = subprocess.Popen([*command, "--save-minutes", "0"], stdout=subprocess.PIPE, text=True)
    lines = iter(first.stdout.readline, "")
    assert next(lines) == "# step 0: 2 sounds, 0.00 h\n"
    shutil.copy(parts / "part-00.tar", tmp_path / "more.tar")
    (tmp_path / "more.tar").rename(parts / "part-01.tar")
    assert next(line for line in lines if "sounds" in line).endswith(": 4 sounds, 0.01 h\n")
    first.kill()
    first.wait()
    with safe_open(out / "state-0.safetensors", "pt") as state:
        steps, seconds = (float(state.metadata()[name]) for name in ("step", "seconds"))
    assert steps > 0
    second = run_script(*command[1:], "--of-minutes", (seconds + 1) / 60)
    assert f"going on at step {steps:.0f}" in second.stdout, second.stderr
    assert int(re.search(r"^step (\d+)", second.stdout, re.MULTILINE)[1]) > steps
    assert {path.name for path in out.iterdir()} == {"log.tsv", "model.safetensors", "state-0.safetensors"}
    assert np.isfinite(Separator(out / "model.safetensors").separate(tones(1.0), RATE).vocals).all()
