"""A few hundred broken and hostile inputs; ``python tests/robustness/run_fuzz.py`` tries them by the ten thousand."""

import os

import pytest
from fuzz.configs import Configs, check
from fuzz.faulty import FAULTS, SEEN, Faulty
from fuzz.watch import Bounds, Task, run
from hypothesis import given, settings
from hypothesis import strategies as st

from vocalsep.errors import UsageError
from vocalsep.training.config import TrainingConfig

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the watching process needs posix")

SEED = 0


def defects(tasks, folder):
    return {outcome.task.name: outcome.defect for outcome in run(tasks, SEED, folder, Bounds()) if outcome.defect}


def test_whatever_goes_wrong_is_seen_and_the_rest_goes_on(tmp_path):
    tasks = [Task(Faulty, case) for case in range(len(FAULTS))]
    keep = tmp_path / "kept"
    outcomes = list(run(tasks, SEED, tmp_path, Bounds(longest_s=3.0, most_bytes=400_000_000), keep))
    assert [outcome.task for outcome in outcomes] == tasks
    for outcome, fault, seen in zip(outcomes, FAULTS, SEEN, strict=True):
        assert seen in outcome.defect, fault
        assert bool(outcome.defect) == bool(seen), outcome.defect
    assert [outcome.accepted for outcome in outcomes[:2]] == [True, False]
    assert {path.read_text() for path in keep.rglob("input")} == set(FAULTS) - {"fine", "refused", "fine again"}


def test_the_same_seed_makes_the_same_inputs(tmp_path):
    from fuzz.audio import Audio

    tasks = [Task(Audio, case) for case in range(40)]
    first, second = ([outcome.accepted for outcome in run(tasks, SEED, tmp_path, Bounds())] for _ in range(2))
    assert first == second
    assert 5 < sum(first) < 35


@pytest.mark.parametrize("inputs", [80, pytest.param(400, marks=pytest.mark.slow)])
def test_sound_files(inputs, tmp_path):
    from fuzz.audio import Audio

    assert defects([Task(Audio, case) for case in range(inputs)], tmp_path) == {}


@pytest.mark.parametrize("inputs", [12, pytest.param(120, marks=pytest.mark.slow)])
def test_models_folders_and_configurations(inputs, tmp_path):
    pytest.importorskip("onnxruntime")
    import torch
    from fuzz.folders import Folders
    from fuzz.models import Models

    # The graphs among its seeds are made here, where what exports them is imported already.
    seeds = tmp_path / Models.__name__.lower()
    seeds.mkdir()
    threads = torch.get_num_threads()
    Models(seeds, tmp_path)
    torch.set_num_threads(threads)
    counts = {Models: inputs, Folders: inputs * 2 // 3, Configs: inputs}
    assert defects([Task(kind, case) for kind, count in counts.items() for case in range(count)], tmp_path) == {}


@pytest.mark.parametrize("inputs", [60, pytest.param(250, marks=pytest.mark.slow)])
def test_requests(inputs, tmp_path):
    pytest.importorskip("fastapi")
    from fuzz.requests import Requests

    assert defects([Task(Requests, case) for case in range(inputs)], tmp_path) == {}


KEYS = st.sampled_from(
    [*TrainingConfig().to_dict(), "front_end", "network", "architecture", "sets", "valid", "kind", "path", "filters"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(("unet", "pair")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(tables=VALUES | st.dictionaries(KEYS, VALUES))
def test_any_tables_make_a_configuration_or_one_clear_error(tables, tmp_path_factory):
    try:
        config = TrainingConfig.from_dict(tables)
    except UsageError:
        return
    check(config, tmp_path_factory.mktemp("toml") / "c.toml")
