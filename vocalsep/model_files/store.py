"""The user's own models: converted files in a folder of theirs, each with a record of what it is.

`vocalsep.model_store` adds and removes them.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from typing import Any

from ..errors import ModelError

# Environment variable that names the folder.
FOLDER_VARIABLE = "VOCALSEP_MODELS"
SUFFIXES = (".safetensors", ".onnx")
RECORD_SUFFIX = ".json"
ADD_HINT = "`vocalsep models add` takes files of other programs"


@dataclasses.dataclass(frozen=True)
class Record:
    """What is known of an added model beside what its file says.

    Parameters
    ----------
    sha256 : str
        Of the converted file, in hexadecimal.
    origin : str
        The file or address that it was converted from.
    origin_sha256 : str
    seconds_per_second : float
        Seconds of computation for one second of song when it was added, on the machine that added it.
    """

    sha256: str
    origin: str
    origin_sha256: str
    seconds_per_second: float


def store_folder() -> pathlib.Path:
    """Return the folder of added models: the one that `VOCALSEP_MODELS` names, else one for data of the user's."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return pathlib.Path(named)
    import platformdirs

    return pathlib.Path(platformdirs.user_data_dir("vocalsep", appauthor=False)) / "models"


def added() -> dict[str, pathlib.Path]:
    """Return name and path of every added model."""
    files = [path for suffix in SUFFIXES for path in store_folder().glob(f"[!.]*{suffix}")]
    return {path.stem: path for path in sorted(files) if record_path(path).is_file()}


def record_path(model: pathlib.Path) -> pathlib.Path:
    """Return the path of an added model's record."""
    return model.with_suffix(RECORD_SUFFIX)


def read_record(model: pathlib.Path) -> Record:
    """Read the record of an added model; raises ModelError if it is damaged."""
    path = record_path(model)
    try:
        values: dict[str, Any] = json.loads(path.read_text("utf-8"))
        record = Record(**values)
        texts = (record.sha256, record.origin, record.origin_sha256)
        if all(isinstance(text, str) for text in texts) and isinstance(record.seconds_per_second, int | float):
            return record
    except (OSError, ValueError, TypeError, RecursionError):
        pass
    raise ModelError("damaged", path=path, hint=f"add the model again, after `vocalsep models remove {model.stem}`")


def write_record(model: pathlib.Path, record: Record) -> None:
    """Write the record of an added model; raises OutputError."""
    from ..system.atomic_files import write_text

    write_text(record_path(model), json.dumps(dataclasses.asdict(record), indent=2))
