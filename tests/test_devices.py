"""The choice of a device and of a backend, and names that configurations of earlier versions have."""

import dataclasses
import importlib.machinery
import importlib.util
import json

import pytest
from conftest import tones
from safetensors.torch import load_file, save_file
from test_networks import RATE, model

from vocalsep import Separator
from vocalsep.errors import UsageError
from vocalsep.inference import devices
from vocalsep.model_files.checkpoint import HEADER_KEY, read_info, save
from vocalsep.training.config import TrainingConfig
from vocalsep.training.run import RunLocation, _fabric


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("__version__ = '2.13.0+cpu'\ncuda: str | None = None\nhip: str | None = None\n", False),
        ("cuda: Optional[str] = None\n", False),
        ("__version__ = '2.4.0+cu121'\ncuda: Optional[str] = '12.1'\n", True),
        ("cuda = '12.8'\n", True),
        ("__version__ = 'unknown'\n", True),
        (None, True),
    ],
)
def test_a_gpu_counts_only_if_torch_is_built_for_it(tmp_path, monkeypatch, text, expected):
    if text is not None:
        (tmp_path / "version.py").write_text(text)
    spec = importlib.machinery.ModuleSpec("torch", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    monkeypatch.setattr(devices.platform, "system", lambda: "Linux")
    monkeypatch.setattr(devices.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    assert devices.torch_has_gpu() is expected
    monkeypatch.setattr(devices.shutil, "which", lambda name: None)
    assert not devices.torch_has_gpu()


def test_without_torch_no_gpu_counts(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(devices.platform, "system", lambda: "Linux")
    monkeypatch.setattr(devices.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    assert not devices.torch_has_gpu()


def test_training_replaces_a_missing_device_with_a_remark(tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    device, remark = devices.choose_device("cuda")
    assert (device.type, remark) == ("cpu", "cuda is not available here; using the cpu")
    fabric, precision, remark_in_training = _fabric(RunLocation(tmp_path, device="cuda"), "float32")
    assert (fabric.device.type, precision, remark_in_training) == ("cpu", "float32", remark)
    with pytest.raises(UsageError, match="unknown device 'tpu'; choose auto, cpu, cuda, mps"):
        devices.choose_device("tpu")


def test_former_names_of_precisions_are_understood():
    for former, name in (("32-true", "float32"), ("bf16-mixed", "bfloat16"), ("auto", "auto")):
        config = TrainingConfig.from_dict({"training": {"precision": former}})
        assert config.training.precision == name
        assert TrainingConfig.from_dict(config.to_dict()) == config


def test_former_names_of_settings_are_understood(tmp_path):
    network, config = model("wave-unet", {"levels": 2, "filters": 3, "tile": 300, "input_context": False})
    save(tmp_path / "new.safetensors", network, config, {})
    saved = config.to_dict()
    saved["network"]["hears_context"] = saved["network"].pop("input_context")
    header = {HEADER_KEY: json.dumps({"config": saved, "card": {}})}
    save_file(load_file(tmp_path / "new.safetensors"), tmp_path / "old.safetensors", header)
    assert read_info(tmp_path / "old.safetensors").config == config
    vocals = [
        Separator(tmp_path / f"{age}.safetensors").separate(tones(0.5, RATE), RATE).vocals for age in ("old", "new")
    ]
    assert (vocals[0] == vocals[1]).all()
    tables = TrainingConfig.from_dict({"model": dataclasses.asdict(config)}).to_dict()
    tables["model"]["network"]["hears_context"] = tables["model"]["network"].pop("input_context")
    assert TrainingConfig.from_dict(tables).model == config


def test_event_files_hold_what_tensorboard_reads(tmp_path):
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    from vocalsep.training.events import EventLog

    log = EventLog(tmp_path / "tensorboard", 300)
    log.write(301, {"loss": 0.5, "lr": 1e-3})
    log.close()
    (file,) = (tmp_path / "tensorboard").glob("events.out.tfevents.*")
    data, events = file.read_bytes(), []
    while data:
        # A record is its length, a checksum, the message, and another checksum.
        length = int.from_bytes(data[:8], "little")
        events.append(Event.FromString(data[12 : 12 + length]))
        data = data[16 + length :]
    assert [event.step for event in events] == [0, 300, 301, 301]
    assert all(event.wall_time > 1e9 for event in events)
    assert events[0].file_version == "brain.Event:2"
    assert events[1].session_log.status == SessionLog.START
    values = {event.summary.value[0].tag: event.summary.value[0].simple_value for event in events[2:]}
    assert values == pytest.approx({"loss": 0.5, "lr": 1e-3})
