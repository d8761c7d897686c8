"""Seekable copies of files in which seeking is slow, such as `.stem.mp4` and MP3."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import pathlib

import numpy as np

from ..audio.decoding import open_source
from ..audio.sndfile import libsndfile_path
from ..errors import AudioError, DiskFullError, OutputError
from ..system.atomic_files import DISK_FULL, Pending, write_text
from .clips import Clip, open_clip

VERSION = 1
# Containers in which libsndfile seeks quickly.
READ_IN_PLACE = (".wav", ".flac", ".ogg", ".oga", ".aiff", ".aif", ".aifc", ".w64", ".rf64", ".caf", ".au")


class Cache:
    """A folder of FLAC copies, which are verified before every use.

    Beside each copy, a small JSON file describes its original (file, stream, size and time of modification) and the
    copy itself. A copy that does not match either is replaced. Samples are 16-bit; stems beyond full scale are stored
    at a lower gain, which is undone on reading.

    Parameters
    ----------
    folder : pathlib.Path
        Created when it is first needed.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder = folder

    def open_clip(self, path: pathlib.Path, stream: int = 0) -> Clip:
        """Describe a sound of which any excerpt can be read quickly, from a copy if seeking in the file is slow.

        Raises
        ------
        AudioError
            The file is missing or damaged.
        OutputError
            The copy cannot be written, such as on a full disk.
        """
        if stream == 0 and path.suffix.lower() in READ_IN_PLACE:
            clip = open_clip(path)
            if clip.seekable:
                return clip
        try:
            origin = _origin(path, stream)
        except OSError as error:
            raise AudioError(f"cannot be read: {(error.strerror or str(error)).lower()}", path=path) from None
        name = hashlib.sha256(f"{path.resolve()}\0{stream}".encode("utf-8", "surrogateescape")).hexdigest()[:24]
        copy = self.folder / f"{name}.flac"
        clip = self._verified(copy, origin) or self._create(path, stream, copy, origin)
        return dataclasses.replace(clip, original=path)

    def _verified(self, copy: pathlib.Path, origin: dict[str, object]) -> Clip | None:
        import soundfile

        try:
            metadata = json.loads(copy.with_suffix(".json").read_text("utf-8"))
            header = soundfile.info(libsndfile_path(copy))
            clip = Clip(
                copy, metadata["sample_rate"], metadata["channels"], metadata["samples"], gain=float(metadata["gain"])
            )
        except (OSError, ValueError, KeyError, TypeError, soundfile.LibsndfileError):
            return None
        matches_original = metadata.get("origin") == origin and metadata.get("bytes") == copy.stat().st_size
        matches_header = (header.samplerate, header.channels, header.frames) == (
            clip.sample_rate,
            clip.channels,
            clip.samples,
        )
        return clip if matches_original and matches_header else None

    def _create(self, path: pathlib.Path, stream: int, copy: pathlib.Path, origin: dict[str, object]) -> Clip:
        import soundfile

        with Pending(copy, overwrite=True) as pending:
            try:
                clip = _copy(path, stream, pending.path, peak=1.0)
                if clip.gain > 1:
                    clip = _copy(path, stream, pending.path, peak=clip.gain)
                size = pending.path.stat().st_size
            except AudioError as error:
                raise error.about(path) from None
            except (OSError, AssertionError, soundfile.LibsndfileError) as error:
                # soundfile asserts that everything was written, and drops the system's reason.
                full = isinstance(error, AssertionError) or getattr(error, "errno", None) == errno.ENOSPC
                kind, cause = (DiskFullError, DISK_FULL) if full else (OutputError, error)
                raise kind(f"the copy of {path.name} cannot be written ({cause})", path=self.folder) from None
            pending.commit()
        metadata = {
            "origin": origin,
            "sample_rate": clip.sample_rate,
            "channels": clip.channels,
            "samples": clip.samples,
            "gain": clip.gain,
            "bytes": size,
        }
        write_text(copy.with_suffix(".json"), json.dumps(metadata))
        return dataclasses.replace(clip, path=copy)


def _origin(path: pathlib.Path, stream: int) -> dict[str, object]:
    state = os.stat(path)
    return {
        "version": VERSION,
        "path": os.fsencode(path.resolve()).decode("utf-8", "backslashreplace"),
        "stream": stream,
        "bytes": state.st_size,
        "modified_ns": state.st_mtime_ns,
    }


def _copy(path: pathlib.Path, stream: int, target: pathlib.Path, peak: float) -> Clip:
    """Write a stream, divided by `peak`, as 16-bit FLAC; if `peak` is 1, the clip's gain is the stream's own peak."""
    import soundfile

    loudest, samples = 0.0, 0
    with open_source(path, stream=stream) as source:
        info = source.info
        with soundfile.SoundFile(
            libsndfile_path(target), "w", info.sample_rate, info.channels, subtype="PCM_16", format="FLAC"
        ) as file:
            for block in source.blocks():
                loudest = max(loudest, float(np.abs(block).max(initial=0.0)))
                file.write((block / peak).clip(-1, 1).T)
                samples += block.shape[1]
    gain = peak if peak > 1 else max(1.0, loudest)
    return Clip(target, info.sample_rate, info.channels, samples, gain=gain)
