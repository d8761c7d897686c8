"""What a base installation can do: no package of any extra can be imported, and is missed by one line that names it."""

import importlib
import importlib.util
import json
import re
import subprocess
import sys
import time

import pytest
from conftest import DEMO, tones, write

from vocalsep import MissingExtraError, Separator
from vocalsep.datasets.musdb18 import find_tracks
from vocalsep.system.extras import BASE, DISTRIBUTIONS, EXTRAS, missing, require

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = DEMO.parent
# Runs commands one after the other in one process in which the packages of argv[1] cannot be found.
WITHOUT = """
import contextlib, io, json, os, sys

class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in refused:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

refused = set(json.loads(sys.argv[1]))
sys.meta_path.insert(0, Refusal())
from vocalsep.cli.app import app

for command in json.loads(sys.argv[2]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = app(command, standalone_mode=False) or 0
        except SystemExit as ended:
            code = ended.code or 0
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
print(json.dumps(sorted(refused & set(sys.modules))))
"""
ALL = sorted({name for names in EXTRAS.values() for name in names})


def without(packages, commands, cwd):
    """Exit code, standard output and standard error of each command; none may have imported a package."""
    command = [sys.executable, "-c", WITHOUT, json.dumps(packages), json.dumps([list(map(str, c)) for c in commands])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300)
    assert done.returncode == 0, done.stderr
    *results, imported = map(json.loads, done.stdout.splitlines())
    assert imported == []
    return results


def test_a_base_installation_separates_and_explains(tmp_path):
    song = write(tmp_path / "song.wav", tones(1.0))
    model = ROOT / "models" / "default.safetensors"
    commands = [
        ["split", song, "--out", "out"],
        ["karaoke", song, "--key", "2", "--out", "out"],
        ["models", "--json"],
        ["info", song, "--estimate", "--json"],
        ["info", model, "--json"],
        ["info", model.with_suffix(".onnx"), "--json"],
        ["doctor"],
    ]
    results = without(ALL, commands, tmp_path)
    assert [code for code, _, _ in results] == [0] * len(commands), results
    assert (tmp_path / "out/song/vocals.wav").exists()
    (model_listed,) = [m for m in json.loads(results[2][1]) if m["name"] == "default"]
    for described in (json.loads(results[4][1]), json.loads(results[5][1])):
        assert described["architecture"] == model_listed["architecture"]
    doctor = results[6][1]
    assert "all is well" in doctor
    assert len(doctor.splitlines()) < 25
    for extra in EXTRAS:
        assert f'pip install "vocalsep[{extra}]"' in doctor


@pytest.mark.slow
def test_a_base_installation_measures_its_speed(tmp_path):
    song = write(tmp_path / "song.wav", tones(1.0))
    ((code, out, err),) = without(ALL, [["bench", song, "--rounds", "1", "--minutes", "none", "--json"]], tmp_path)
    assert code == 0, err
    assert json.loads(out)["machine"]["torch"] == ""
    assert json.loads(out)["matrix_flops"] > 1e8


def test_a_missing_extra_is_one_line_that_names_it(tmp_path):
    song = write(tmp_path / "song.wav", tones(1.0))
    model = tmp_path / "own.safetensors"
    model.write_bytes((ROOT / "models" / "default.safetensors").read_bytes())
    (tmp_path / "song.lrc").write_text("[00:00.20]la la\n")
    (tmp_path / "recipe.toml").write_text("[training]\nsteps = 1\n")
    cases = [
        ("torch", ["split", song, "--model", model]),
        ("torch", ["split", song, "--backend", "torch"]),
        ("torch", ["split", song, "--precision", "bfloat16"]),
        ("torch", ["split", song, "--device", "cuda"]),
        ("torch", ["karaoke", song, "--model", model]),
        ("torch", ["info", model, "--estimate"]),
        ("torch", ["average", model, "default"]),
        ("torch", ["import-spleeter", model]),
        ("train", ["train", "--stems", tmp_path]),
        ("train", ["train", "--resume"]),
        ("train", ["train", "--config", "recipe.toml"]),
        ("train", ["compare", "--stems", tmp_path, "--arch", "unet"]),
        ("train", ["evaluate", "--stems", tmp_path]),
        ("train", ["plot", song]),
        ("train", ["export", "out.onnx"]),
        ("train", ["bench", song, "--train", "recipe.toml"]),
        ("studio", ["serve"]),
        ("studio", ["studio"]),
        ("video", ["karaoke", song, "--video", "--lyrics", "song.lrc"]),
        ("ray", ["split", song, "--engine", "ray"]),
        ("remote", ["split", "s3://songs/song.wav"]),
        ("remote", ["split", song, "--out", "s3://stems"]),
        ("remote", ["split", "https://example.org/song.wav"]),
    ]
    for (extra, command), (code, out, err) in zip(
        cases, without(ALL, [command for _, command in cases], tmp_path), strict=True
    ):
        said = [line for line in err.splitlines() if not line.startswith("model ")]
        assert code == 2, (command, out, err)
        assert len(said) == 1, (command, err)
        wanted = f'needs packages that are not installed; install them with: pip install "vocalsep[{extra}]"'
        assert wanted in said[0], (command, err)
    assert not (tmp_path / "separated").exists()


def test_the_studio_separates_without_torch(tmp_path):
    """The server runs in a process in which nothing but the studio's packages can be imported."""
    httpx = pytest.importorskip("httpx")
    if missing("studio"):
        pytest.skip("the studio's packages are not installed")
    refused = sorted(set(ALL) - set(EXTRAS["studio"]))
    server = [["serve", "--port", "0", "--library", str(tmp_path / "library")]]
    with subprocess.Popen(
        [sys.executable, "-c", WITHOUT.replace("redirect_stderr(err)", "nullcontext()"), json.dumps(refused),
         json.dumps(server)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            address = next(found[0] for line in process.stderr if (found := re.search(r"http://[\d.]+:\d+", line)))
            client = httpx.Client(base_url=address, timeout=60)
            song = write(tmp_path / "song.wav", tones(1.0))
            sent = client.post("/api/songs", params={"name": "song.wav"}, content=song.read_bytes())
            job = sent.raise_for_status().json()
            while job["state"] in ("queued", "running"):
                time.sleep(0.1)
                job = client.get(f"/api/songs/{job['id']}").json()
            assert job["state"] == "done", job
        finally:
            process.terminate()
            process.wait(30)


def test_the_extras_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {"base": project["dependencies"], **project["optional-dependencies"]}

    def names(requirements):
        plain = (re.split(r"[<>=;\[ ]", requirement)[0].lower().replace("-", "_") for requirement in requirements)
        return {name for name in plain if name not in ("vocalsep", "tomli")}

    assert names(declared["base"]) == {name.lower() for name in BASE}
    for extra, packages in EXTRAS.items():
        own = set(packages) - {"tomli"} - set(EXTRAS.get({"train": "torch", "studio": "video"}.get(extra), ()))
        assert names(declared[extra]) == {DISTRIBUTIONS.get(name, name).lower() for name in own}


def test_the_library_names_the_extra_too(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for extra, use in {
        "torch": lambda: Separator(backend="torch"),
        "train": lambda: find_tracks(ROOT, "test"),
        "ray": lambda: require("ray", "a Ray cluster"),
    }.items():
        with pytest.raises(MissingExtraError, match=rf'pip install "vocalsep\[{extra}\]"'):
            use()
    for package, extra in {"training": "train", "mixing": "train", "evaluation": "train", "studio": "studio"}.items():
        monkeypatch.delitem(sys.modules, f"vocalsep.{package}", raising=False)
        with pytest.raises(MissingExtraError, match=rf"vocalsep\[{extra}\]"):
            importlib.import_module(f"vocalsep.{package}")


def test_a_package_whose_import_failed_before_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert missing("ray") == ["ray"]
