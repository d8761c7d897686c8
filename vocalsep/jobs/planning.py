"""From input files to jobs: each with its outputs, under names of their own, and nothing that would be lost."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

from ..errors import InvalidOutputNamesError, OutputError, OutputExistsError
from ..system.names import comparison_key, safe_name
from .inputs import InputFile
from .name_template import FOLDER, fill_template, template_fields
from .outputs import OutputSpec, StemMix


@dataclasses.dataclass(frozen=True)
class Job:
    """One input file and the outputs to make of it; it can be sent to another process."""

    file: InputFile
    outputs: tuple[OutputSpec, ...]


@dataclasses.dataclass(frozen=True)
class OutputNaming:
    """How outputs are named.

    Parameters
    ----------
    folder : pathlib.Path
        The output folder.
    template : str
        A checked name template, see `name_template`.
    suffix : str
        Suffix of outputs that are no videos.
    model : str
        Name or path of the model.
    """

    folder: pathlib.Path
    template: str
    suffix: str
    model: str

    def path_of(self, file: InputFile, mix: StemMix) -> pathlib.Path:
        """Return the path of an output: the filled-in template, below the subfolder for the input file."""
        fields = {
            "name": file.name,
            "source": file.file_name,
            FOLDER: str(file.folder_field),
            "stem": mix.name,
            "ext": (mix.container or self.suffix).removeprefix("."),
            "model": pathlib.Path(self.model).stem,
        }
        in_template = FOLDER in template_fields(self.template)
        subfolder = () if in_template else map(safe_name, file.output_subfolder.parts)
        return pathlib.Path(self.folder, *subfolder, fill_template(self.template, fields, file.endings))


def plan_jobs(
    files: Sequence[InputFile], mixes: Sequence[Sequence[StemMix]], naming: OutputNaming, url: str = ""
) -> list[Job]:
    """Return a job for each input file, so that no two have outputs of one name, as far as the template allows.

    Outputs of files from several folders that would be the same keep the name of the folder, and of as many folders
    above it as it takes, as do those of all other files from there. Outputs of files in one folder keep the suffixes of
    the files; where that is not enough, all but the first get a number.

    Parameters
    ----------
    files : sequence of InputFile
    mixes : sequence of sequence of StemMix
        For each file, what its outputs hold.
    naming : OutputNaming
    url : str
        URL of the output folder, if it is not on this machine; `naming` has a relative folder then.
    """
    files = _distinguish(files, mixes, naming)
    jobs = []
    for file, own_mixes in zip(files, mixes, strict=True):
        outputs = [OutputSpec(mix, naming.path_of(file, mix)) for mix in own_mixes]
        if url:
            outputs = [
                dataclasses.replace(output, url=f"{url.rstrip('/')}/{output.target.as_posix()}") for output in outputs
            ]
        jobs.append(Job(file, tuple(outputs)))
    return jobs


def check_outputs(jobs: Sequence[Job], *, overwrite: bool, skip_existing: bool) -> None:
    """Refuse jobs that would lose something, before any work is done.

    Raises
    ------
    InvalidOutputNamesError
        Two outputs would be the same file.
    OutputExistsError
        An output exists, and neither overwriting nor skipping was asked for.
    OutputError
        An output would replace an input.
    """
    writers: dict[str, InputFile] = {}
    inputs = {job.file.url or job.file.path.resolve() for job in jobs}
    existing = []
    for job in jobs:
        for output in job.outputs:
            key = _output_key(output.url or output.target)
            if key in writers:
                both = f"{writers[key].source} and {job.file.source} would both write"
                if writers[key] is job.file:
                    both = f"both stems of {job.file.source} would be"
                raise InvalidOutputNamesError(f"{both} {output.location}")
            writers[key] = job.file
            if (output.url or output.target.resolve()) in inputs:
                raise OutputError("is one of the inputs", path=output.location, hint="choose another output folder")
            if not overwrite and not skip_existing and output.exists:
                existing.append(output.location)
    if existing:
        others = f", as {'do' if len(existing) > 2 else 'does'} {len(existing) - 1} more" if len(existing) > 1 else ""
        raise OutputExistsError(f"exists already{others}", path=existing[0])


def _distinguish(
    files: Sequence[InputFile], mixes: Sequence[Sequence[StemMix]], naming: OutputNaming
) -> list[InputFile]:
    """Return the files with what the names of their outputs need to differ, see `plan_jobs`."""
    changed = list(files)

    def output_keys(index: int) -> frozenset[str]:
        return frozenset(_output_key(naming.path_of(changed[index], mix)) for mix in mixes[index])

    keys = [output_keys(index) for index in range(len(changed))]

    def change(index: int, **changes: Any) -> None:
        changed[index] = dataclasses.replace(changed[index], **changes)
        keys[index] = output_keys(index)

    while True:
        roots = [{changed[index].root for index in group} for group in _conflicts(keys)]
        conflicting = set().union(*(group for group in roots if len(group) > 1))
        indices = [
            index
            for index, file in enumerate(changed)
            if file.root in conflicting and file.parents_kept < len(file.root)
        ]
        if not indices:
            break
        for index in indices:
            change(index, parents_kept=changed[index].parents_kept + 1)
    for group in _conflicts(keys):
        for index in group:
            change(index, keeps_suffix=True)
    used = {key for own in keys for key in own}
    for group in _conflicts(keys):
        for index in group[1:]:
            before = keys[index]
            # Where the template has no field of the file's name, no number helps.
            while keys[index] & used and (keys[index] != before or changed[index].number == 1):
                change(index, number=changed[index].number + 1)
            used |= keys[index]
    return changed


def _conflicts(keys: Sequence[frozenset[str]]) -> list[tuple[int, ...]]:
    """Return groups of indices whose files share an output."""
    writers: dict[str, list[int]] = {}
    for index, own in enumerate(keys):
        for key in own:
            writers.setdefault(key, []).append(index)
    return sorted({tuple(indices) for indices in writers.values() if len(indices) > 1})


def _output_key(location: pathlib.Path | str) -> str:
    """Return what is the same for two names of one file."""
    return comparison_key(location if isinstance(location, str) else str(location.absolute()))
