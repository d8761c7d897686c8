"""README and the documents beside it: short, linked, and with the figures of the model's card."""

import pathlib
import re

import pytest

ROOT = next(folder for folder in pathlib.Path(__file__).resolve().parents if (folder / "pyproject.toml").exists())
LONGEST_README = 120
DOCUMENTS = [
    path
    for pattern in ("*.md", "examples/**/*.md", "models/*.md", "tests/*.md", "vocalsep/**/*.md", ".github/**/*.md")
    for path in sorted(ROOT.glob(pattern))
]
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= LONGEST_README


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(document):
    links = [link for link in LINK.findall(document.read_text("utf-8")) if "://" not in link]
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_the_readmes_figures_are_those_of_the_card():
    readme = (ROOT / "README.md").read_text("utf-8")
    card = (ROOT / "models" / "default.md").read_text("utf-8")
    uSDR = next(line for line in card.splitlines() if "| uSDR, mean of songs |" in line)
    # Columns of the card: Spleeter, its vocal network alone, this model.
    rows = {
        name: cells.replace("*", "").strip()
        for name, cells in zip(("peer", "_", "ours"), uSDR.split("|")[3:6], strict=True)
    }
    for name, row in (("ours", "vocalsep"), ("peer", "Spleeter")):
        line = next(line for line in readme.splitlines() if line.startswith(f"| {row}"))
        assert re.findall(r"(\d+\.\d\d) dB", line) == rows[name].split(" / ")
