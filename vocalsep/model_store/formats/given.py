"""What a user wants to add, and what becomes of it."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.resources
import json
import pathlib
from typing import Any

import numpy as np

from ...checks import shown
from ...errors import ModelError
from ...inference.backend import ACCOMPANIMENT, VOCALS
from ...inference.families.table import FamilyInfo
from ...model_files.torch_archive import read_legacy_torch_file, read_torch_file

# By the MD5 of so many bytes at its end, a published file is known; shorter files by all of it.
KNOWN_BY_BYTES = 10_000 * 1024
FACTS = "published_files.json"
CONFIGURATIONS = "https://raw.githubusercontent.com/TRvlvr/application_data/main/mdx_model_data/mdx_c_configs/"
NOT_STATED = "not stated in the file; ask its author"
KARAOKE_REMARK = "takes the lead voice: backing voices stay in the accompaniment"
# The first byte of a pickle without an archive around it, as PyTorch wrote until 2020.
PICKLE = b"\x80"
ZIP = b"PK\x03\x04"
# How programs call stems, in small letters.
VOCALS_NAMES, REST_NAMES = ("vocals", "vocal"), ("instrumental", "accompaniment", "no vocals", "karaoke")


@dataclasses.dataclass(frozen=True)
class Given:
    """A file to add.

    Parameters
    ----------
    path : pathlib.Path
    config : pathlib.Path, optional
        A file with the configuration of its network.
    origin : str
        The file or address that the user named.
    """

    path: pathlib.Path
    config: pathlib.Path | None
    origin: str

    @functools.cached_property
    def start(self) -> bytes:
        """The first bytes of the file; raises ModelError if it cannot be read."""
        try:
            with self.path.open("rb") as file:
                return file.read(64)
        except FileNotFoundError:
            raise ModelError("no such model file", path=self.path) from None
        except OSError as error:
            raise ModelError(f"cannot be read ({error.strerror})", path=self.path) from None

    @functools.cached_property
    def checkpoint(self) -> Any:
        """What is in a checkpoint of PyTorch's, see `torch_archive`; None for other files; raises ModelError."""
        if self.start.startswith(ZIP):
            return read_torch_file(self.path)
        return read_legacy_torch_file(self.path) if self.start[:1] == PICKLE else None

    @functools.cached_property
    def facts(self) -> dict[str, Any]:
        """What is publicly listed of the file; empty for an unknown one."""
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - KNOWN_BY_BYTES))
            key = hashlib.md5(file.read(), usedforsecurity=False).hexdigest()
        listed = json.loads((importlib.resources.files(__package__) / FACTS).read_text("utf-8"))
        return listed["mdx_net"].get(key) or listed["configurations"].get(key) or {}

    def card(self, remarks: str = "", licence: str = NOT_STATED) -> dict[str, Any]:
        """Return the card of a model made of the file."""
        card: dict[str, Any] = {"name": self.path.name, "licence": licence, "source": self.origin, "figures": {}}
        return {**card, "remarks": remarks} if remarks else card


@dataclasses.dataclass(frozen=True)
class Converted:
    """A model in our own format, before it is written.

    Parameters
    ----------
    info : FamilyInfo, optional
        The metadata to write; None for a file that is a vocalsep model already and is copied.
    weights : dict of ndarray, optional
        Of a safetensors file; without them, the file that was given is an ONNX graph, or copied.
    """

    info: FamilyInfo | None
    weights: dict[str, np.ndarray] | None = None


def source_name(stem: str, stems: int) -> str:
    """Return our name of a stem of another program, which has so many stems.

    Raises
    ------
    ModelError
        It makes no sense for a separation of voices.
    """
    name = stem.strip().lower()
    if name in VOCALS_NAMES:
        return VOCALS
    if name in REST_NAMES or (name == "other" and stems <= 2):
        return ACCOMPANIMENT
    if stems > 2:
        return name.replace(" ", "-")
    raise ModelError(
        f"separates {shown(stem)}, not the voice", hint="vocalsep takes models that give vocals or the rest"
    )
