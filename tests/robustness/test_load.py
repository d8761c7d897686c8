"""Some visitors at a studio for a few seconds; ``python tests/robustness/run_load.py``: fifty for ten minutes."""

import pytest

pytest.importorskip("httpx")
pytest.importorskip("fastapi")

from run_load import load

pytestmark = pytest.mark.slow


def test_a_few_visitors_at_once(tmp_path):
    report = load(4, 5.0, 0, tmp_path)
    assert report.faults == []
    assert any("requests" in line for line in report.lines)
