"""From what the user names (files, folders, patterns, URLs, standard input) to a list of input files."""

from __future__ import annotations

import dataclasses
import glob
import os
import pathlib
from collections.abc import Iterable, Sequence

from ..audio.formats import SONG_SUFFIXES
from ..errors import AudioError, NoAudioFilesError, VocalsepError
from ..system.folders import files_in
from ..system.names import safe_name
from .remote import DOWNLOAD_HINT, file_name, is_remote, is_web, list_audio_files

STDIN = "-"
STEM_SUFFIX = ".stem"


@dataclasses.dataclass(frozen=True)
class InputFile:
    """One input file, and what the names of its outputs keep of its folders and of its name.

    Parameters
    ----------
    path : pathlib.Path
        Path on this machine; of a remote file, its bare name.
    folder : pathlib.Path
        Its folder, relative to the folder that the user named.
    url : str
        URL of a remote file; empty for one on this machine.
    root : tuple of str
        The folder that the user named, or that a named file lies in: its parts, outermost first.
    parents_kept : int
        How many parts of `root`, from the last on, the outputs keep too.
    keeps_suffix : bool
        Whether the outputs keep the suffix of its name.
    number : int
        Above 1, it is added to the name.
    """

    path: pathlib.Path
    folder: pathlib.Path = pathlib.Path()
    url: str = ""
    root: tuple[str, ...] = ()
    parents_kept: int = 0
    keeps_suffix: bool = False
    number: int = 1

    @property
    def source(self) -> str:
        """The path or URL by which the user knows it."""
        return self.url or str(self.path)

    @property
    def name(self) -> str:
        """The file's name without its suffix; that of ``song.stem.mp4`` is ``song``."""
        return self._bare_name + self.endings["name"]

    @property
    def file_name(self) -> str:
        """The file's name with its suffix."""
        return self.path.stem + self.endings["source"]

    @property
    def endings(self) -> dict[str, str]:
        """The ends of the template fields ``name`` and ``source`` that distinguish this file from others."""
        number = f" ({self.number})" if self.number > 1 else ""
        suffix = self.path.name[len(self._bare_name) :] if self.keeps_suffix else ""
        return {"name": suffix + number, "source": number + self.path.suffix}

    @property
    def output_subfolder(self) -> pathlib.Path:
        """The folder below the output folder that its outputs go to."""
        return pathlib.Path(*self.root[len(self.root) - self.parents_kept :], self.folder)

    @property
    def folder_field(self) -> pathlib.Path:
        """The template field ``folder``: its output subfolder, or at least the name of the folder that it lies in."""
        return self.output_subfolder if self.output_subfolder.parts else pathlib.Path(*self.root[-1:])

    @property
    def _bare_name(self) -> str:
        name = self.path.stem
        return (name[: -len(STEM_SUFFIX)] if name.lower().endswith(STEM_SUFFIX) else name) or name


@dataclasses.dataclass(frozen=True)
class UnusableInput:
    """An argument that names no audio file, and the error that says why."""

    argument: str
    error: VocalsepError


def find_inputs(
    arguments: Sequence[str], recursive: bool, out: pathlib.Path | None
) -> tuple[list[InputFile], list[UnusableInput]]:
    """Find the files that the arguments name, each once, in a stable order; a link and its target are two files.

    Parameters
    ----------
    arguments : sequence of str
        Files, folders, patterns such as ``*.mp3``, URLs of files or folders, or ``-`` for standard input.
    recursive : bool
        Search the subfolders of folders too.
    out : pathlib.Path or None
        Output folder, whose files are not inputs.

    Returns
    -------
    files, unusable : list of InputFile, list of UnusableInput
    """
    files: dict[str, InputFile] = {}
    unusable: list[UnusableInput] = []
    for argument in arguments:
        try:
            for file in _files_of(argument, recursive, out):
                key = file.url or (STDIN if argument == STDIN else os.path.abspath(file.path))
                files.setdefault(key, file)
        except AudioError as error:
            unusable.append(UnusableInput(argument, error.about(argument)))
    return list(files.values()), unusable


def _files_of(argument: str, recursive: bool, out: pathlib.Path | None) -> list[InputFile]:
    """Return the files that one argument names, at least one; raises AudioError."""
    path = pathlib.Path(argument)
    if is_remote(argument):
        files = [_remote_file(url, folder) for url, folder in list_audio_files(argument, recursive)]
        if not files:
            raise AudioError("no audio files there")
        return files
    if argument == STDIN:
        return [InputFile(path)]
    if path.is_dir():
        files = list(_files_in_folder(path, recursive, out))
        if not files:
            kind = AudioError if recursive else NoAudioFilesError
            raise kind("no audio files in this folder")
        return files
    if path.is_file() or (path.exists() and not glob.has_magic(argument)):
        return [_single_file(path)]
    if glob.has_magic(argument):
        matches = map(pathlib.Path, sorted(glob.glob(argument, recursive=True)))
        files = [_single_file(match) for match in matches if _is_audio_file(match)]
        if not files:
            raise AudioError("no audio file matches this pattern")
        return files
    raise AudioError("no such file or folder", hint=f"for a web address: {DOWNLOAD_HINT}" if is_web(argument) else "")


def _single_file(path: pathlib.Path) -> InputFile:
    return InputFile(path, root=_path_parts(path.parent))


def _remote_file(url: str, folder: str) -> InputFile:
    """Return a remote file; `folder` is relative to the one that the user named."""
    folders = url.partition("://")[2].split("/")[:-1]
    relative = pathlib.Path(folder)
    return InputFile(pathlib.Path(file_name(url)), relative, url, tuple(folders[: len(folders) - len(relative.parts)]))


def _path_parts(folder: pathlib.Path) -> tuple[str, ...]:
    absolute = pathlib.Path(os.path.abspath(folder))
    drive = safe_name(absolute.drive.rstrip(":")) if absolute.drive else ""
    return (*([drive] if drive else []), *absolute.parts[1:])


def _files_in_folder(folder: pathlib.Path, recursive: bool, out: pathlib.Path | None) -> Iterable[InputFile]:
    outputs = out.resolve() if out is not None else None
    root = _path_parts(folder)
    for path in files_in(folder, recursive):
        is_output = outputs is not None and outputs != folder.resolve() and outputs in path.resolve().parents
        if _is_audio_file(path) and not is_output:
            yield InputFile(path, path.relative_to(folder).parent, root=root)


def _is_audio_file(path: pathlib.Path) -> bool:
    return path.suffix.lower() in SONG_SUFFIXES and path.is_file()
