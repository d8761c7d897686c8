"""What is built and shipped: the same bytes wherever and whenever, and nothing but what belongs there."""

import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

import vocalsep

pytestmark = pytest.mark.slow

pytest.importorskip("hatchling")

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("vocalsep", "models", "tests", "examples")
FILES = ("pyproject.toml", "README.md", "LICENSE", ".gitignore")
caches = shutil.ignore_patterns("__pycache__", ".*_cache", ".hypothesis")
INFO = f"vocalsep-{vocalsep.__version__}.dist-info"


def copied(folder):
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=caches)
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    return folder


def built(folder, *kinds, **more):
    command = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-d",
        "dist",
        *(part for kind in kinds for part in ("-t", kind)),
    ]
    subprocess.run(command, cwd=folder, env={**os.environ, **more}, check=True, capture_output=True)
    return {path.name: path.read_bytes() for path in (folder / "dist").iterdir() if path.name != ".gitignore"}


def clutter(folder):
    """What lies about where people work, newer and for the owner alone."""
    for name in ("run/models/m.safetensors", "old/README.md", "a/tests/t.py", "vocalsep/__pycache__/a.pyc", ".venv/b"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("clutter")
    for path in folder.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
        os.utime(path, (2e9, 2e9))


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return built(copied(tmp_path_factory.mktemp("clean")), "sdist", "wheel")


def test_what_is_built_depends_on_nothing_but_the_sources(clean, tmp_path):
    clutter(copied(tmp_path))
    again = built(tmp_path, "sdist", "wheel", TZ="Asia/Tokyo", LC_ALL="C")
    assert len(clean) == 2
    assert {name: again.get(name) == content for name, content in clean.items()} == dict.fromkeys(clean, True)


def test_the_sources_that_are_shipped_build_the_same_wheel(clean, tmp_path):
    (archive,) = (name for name in clean if name.endswith(".tar.gz"))
    (tmp_path / archive).write_bytes(clean[archive])
    shutil.unpack_archive(tmp_path / archive, tmp_path)
    ((wheel, content),) = built(tmp_path / archive.removesuffix(".tar.gz"), "wheel").items()
    assert content == clean[wheel]


def test_wheel_contains_package_models_and_licence(clean, tmp_path):
    (wheel,) = (name for name in clean if name.endswith(".whl"))
    (tmp_path / wheel).write_bytes(clean[wheel])
    with zipfile.ZipFile(tmp_path / wheel) as file:
        names = file.namelist()
    package = [path for path in (ROOT / "vocalsep").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    models = [path for path in (ROOT / "models").iterdir() if path.is_file()]
    expected = {str(path.relative_to(ROOT)) for path in package} | {
        f"vocalsep/{path.relative_to(ROOT)}" for path in models
    }
    expected.add("vocalsep/studio/example_song.ogg")
    assert {"vocalsep/studio/page/index.html", "vocalsep/models/default.onnx", "vocalsep/py.typed"} <= expected
    about = {f"{INFO}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    assert sorted(names) == sorted(expected | about)
