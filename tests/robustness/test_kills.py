"""Commands that are killed lose nothing; `python -m faults.run` does the same many times over."""

import pytest
from faults.cases import CASES
from faults.run import torment

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", CASES)
def test_a_killed_command_loses_nothing(name, tmp_path):
    report = torment(CASES[name], 1, 0, tmp_path)
    assert report.kills == 1
    assert report.faults == []
