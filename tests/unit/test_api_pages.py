"""The public names of the package: each has an example that works, and a place in the API pages."""

import doctest
import inspect
import pathlib
import subprocess
import sys

import pytest

import vocalsep

PAGES = pathlib.Path(__file__).resolve().parents[2] / "examples" / "api"
NAMES = [name for name in vocalsep.__all__ if name != "__version__"]
METHODS = [
    f"Separator.{name}" for name, _ in inspect.getmembers(vocalsep.Separator) if name in vars(vocalsep.Separator)
]
PUBLIC = [*NAMES, *(name for name in METHODS if not name.split(".")[1].startswith("_"))]


def named(name):
    found = vocalsep
    for part in name.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_an_example_that_works(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = doctest.DocTestParser().get_doctest(inspect.getdoc(named(name)), {}, name, None, None)
    assert example.examples
    told = []
    assert doctest.DocTestRunner().run(example, out=told.append).failed == 0, "".join(told)


def test_the_pages_show_every_public_name_without_a_warning(tmp_path):
    pytest.importorskip("sphinx")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-d", tmp_path / "cache", PAGES, tmp_path / "pages"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "pages" / "index.html").read_text("utf-8")
    assert [
        name for name in PUBLIC if f'id="vocalsep.{name}"' not in page and f'id="vocalsep.errors.{name}"' not in page
    ] == []
