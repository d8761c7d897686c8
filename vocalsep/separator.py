"""Separate mixtures into vocals and accompaniment: arrays, streams of any length, and files."""

from __future__ import annotations

import contextlib
import itertools
import math
import numbers
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from .audio.formats import output_format
from .audio.source import LOUDEST, MOST_CHANNELS
from .audio.stem_file import STEM_FILE
from .dsp.exact_sum import STEMS
from .errors import AudioError, OutputError, UsageError
from .inference.engine import Engine
from .jobs.inputs import Song
from .jobs.name_template import named
from .jobs.passage import Passage, seconds
from .jobs.rendering import Encoding, render, stem_file_track, stem_output
from .system.atomic_files import reason

# Largest piece of an array that is handed to the stream at once, in samples.
PIECE = 1 << 16


class Stems(NamedTuple):
    """Vocals and accompaniment of the same shape, (channels, samples); they sum to the mixture."""

    vocals: Any
    accompaniment: Any


class Separator(Engine):
    """A model, ready to separate.

    It can be pickled, and sent to another process: that loads the model anew.

    Parameters
    ----------
    model : str or path
        Name of a shipped model, or path of a model file.
    device : str
        ``auto`` takes a GPU where there is one; ``cpu``, ``cuda`` and ``mps`` ask for one device. One that is not
        there is replaced by the CPU, and `fallback` says so.
    threads : int, optional
        CPU threads, with torch for the whole process; by default as many as there are cores.
    overlap : float, optional
        Seconds that each chunk hears beyond either end. By default all that the network can hear, which makes the
        result independent of the chunks; more gives nothing, less is faster and lets seams appear.
    core_frames : int, optional
        Frames of each chunk without its context; a multiple of the network's stride. More needs more memory.
    hard : bool
        Each bin belongs to the vocals or to the accompaniment as a whole.
    backend : str
        ``torch``; ``onnx`` for ONNX Runtime, which needs a shipped or exported model; ``auto`` takes that where it is
        installed, the model has it and there is no GPU.
    precision : str
        Of the network's products: ``float32``, or ``bfloat16`` or ``float16`` by torch, which are faster on hardware
        that has them.

    Attributes
    ----------
    where : str
        What computes, in words.
    device : str
        The device that was taken.
    fallback : str
        Why it is not the one that was asked for; empty where it is.
    sample_rate : int
        Rate in Hz at which the model works; mixtures of other rates are converted there and back.

    Raises
    ------
    ModelError
        The model is unknown or broken.
    UsageError
        A parameter makes no sense.

    Examples
    --------
    >>> import numpy as np
    >>> from vocalsep import Separator
    >>> mixture = np.zeros((2, 44100), np.float32)
    >>> vocals, accompaniment = Separator("default").separate(mixture, 44100)
    >>> vocals.shape
    (2, 44100)
    """

    def separate(
        self, mixture: Any, sample_rate: int, *, progress: Callable[[int, int | None], None] | None = None
    ) -> Stems:
        """Separate a whole mixture.

        Parameters
        ----------
        mixture : ndarray or Tensor (samples,) or (channels, samples)
            Real samples, at most 8 channels; integers count as full scale of their type.
        sample_rate : int
            Hz, 4000 to 384000.
        progress : callable, optional
            Called with the samples done and the samples in all.

        Returns
        -------
        Stems
            Vocals and accompaniment, of the mixture's shape and kind (arrays or tensors), floating point of 32 bits or
            more.

        Raises
        ------
        AudioError
            The mixture has another shape, no real numbers, NaN, infinite or impossibly large samples, or an
            unsupported rate.
        ModelError
            The model makes NaN or infinite samples of it.
        """
        tensor_device = getattr(mixture, "device", None) if type(mixture).__module__.startswith("torch") else None
        array = _checked(mixture)
        sample_rate = _rate(sample_rate)
        whole = np.atleast_2d(array)
        pieces = (whole[:, at : at + PIECE] for at in range(0, whole.shape[1], PIECE))
        vocals = np.zeros_like(whole)
        at = 0
        for _, part in self.vocals_of(pieces, sample_rate, whole.shape[0]):
            vocals[:, at : at + part.shape[1]] = part
            at += part.shape[1]
            if progress is not None:
                progress(at, whole.shape[1])
        stems = Stems(vocals.reshape(array.shape), array - vocals.reshape(array.shape))
        if tensor_device is None:
            return stems
        import torch

        return Stems(*(torch.from_numpy(stem).to(tensor_device) for stem in stems))

    def stream(
        self,
        blocks: Iterable[Any],
        sample_rate: int,
        *,
        total: int | None = None,
        progress: Callable[[int, int | None], None] | None = None,
    ) -> Iterator[Stems]:
        """Separate a stream of blocks and yield stems while it still arrives.

        Memory does not depend on the length of the stream. The stems come in blocks of other lengths than the
        mixture's, some tens of seconds late, and in all have as many samples.

        Parameters
        ----------
        blocks : iterable of ndarray or Tensor (samples,) or (channels, samples)
            All with the same number of channels.
        sample_rate : int
            Hz, 4000 to 384000.
        total : int, optional
            Samples to expect, for `progress` only.
        progress : callable, optional
            Called with the samples done and `total`.

        Yields
        ------
        Stems
            ndarrays (channels, samples).

        Raises
        ------
        AudioError, ModelError
            As `separate`; or the number of channels changes.
        """
        sample_rate = _rate(sample_rate)
        arrays = (np.atleast_2d(_checked(block)) for block in blocks)
        first = next(arrays, None)
        if first is None:
            return
        done = 0
        for mixture, vocals in self.vocals_of(itertools.chain([first], arrays), sample_rate, first.shape[0]):
            done += vocals.shape[1]
            yield Stems(vocals, mixture - vocals)
            if progress is not None:
                progress(done, total)

    def separate_file(
        self,
        path: str | os.PathLike[str] | BinaryIO,
        out: str | os.PathLike[str],
        *,
        stems: Sequence[str] = STEMS,
        format: str = "wav",
        subtype: str | None = None,
        bitrate: int = 256_000,
        overwrite: bool = False,
        salvage: bool = False,
        progress: Callable[[int, int | None], None] | None = None,
        start: float | str = 0.0,
        duration: float | str | None = None,
    ) -> dict[str, pathlib.Path]:
        """Separate a song or video file into files of its own length, rate and channels.

        Parameters
        ----------
        path : str, path or binary file
            A file that is open is read from where it is to its end. It need not be one that can seek.
        out : str or path
            Folder of the outputs, ``vocals`` and ``accompaniment`` with the format's suffix.
        stems : sequence of str
            Which of the two to write.
        format : str
            ``wav``, ``flac``, ``ogg``, ``opus``, ``mp3`` or ``m4a``; or ``stem.mp4``: one file with the song's name,
            which holds the mixture and both stems.
        subtype : str, optional
            Sample type such as ``pcm_16``; by default the input's, ``float`` for a lossy one.
        bitrate : int
            Bits per second of a lossy stereo output.
        overwrite : bool
            Replace files that are there; otherwise they raise.
        salvage : bool
            Take what can be decoded of a damaged file.
        progress : callable, optional
            Called with the samples done and the samples expected, None where the file does not say.
        start, duration : float or str
            Only this part of the song is written, with the samples that it has in the whole: seconds, or such as
            ``1:23.5``. By default all of it.

        Returns
        -------
        dict
            The path of each stem, or that of the one file as ``stems``.

        Raises
        ------
        AudioError, OutputError, ModelError, UsageError
            The file cannot be decoded, an output not be written, the model makes no sound of it, or an option makes no
            sense.
        """
        encoding = Encoding(output_format(format), subtype, bitrate)
        wanted = [stems] if isinstance(stems, str) else list(stems)
        if not wanted:
            raise UsageError("stems is empty; choose vocals, accompaniment or both")
        passage = Passage(_seconds(start), None if duration is None else _seconds(duration))
        with _on_disk(path) as song:
            if encoding.format.name == STEM_FILE:
                if set(wanted) != set(STEMS):
                    raise UsageError(f"a {STEM_FILE} holds all stems; leave stems out, or choose another format")
                name = named("{name}.{ext}", {"name": Song(song).name, "ext": STEM_FILE})
                tracks = [stem_file_track(pathlib.Path(out) / name)]
            else:
                suffix = encoding.format.suffix
                tracks = [stem_output(stem, pathlib.Path(out) / f"{stem}{suffix}") for stem in dict.fromkeys(wanted)]
            render(
                self,
                song,
                tracks,
                encoding,
                overwrite=overwrite,
                salvage=salvage,
                progress=progress,
                passage=None if passage == Passage() else passage,
            )
        return {track.name: track.target for track in tracks}


@contextlib.contextmanager
def _on_disk(song: str | os.PathLike[str] | BinaryIO) -> Iterator[pathlib.Path]:
    """Give the path of a song, of an open file that of a copy: decoders want names, and seek."""
    if isinstance(song, (str, os.PathLike)):
        yield pathlib.Path(song)
        return
    if not callable(getattr(song, "read", None)):
        raise UsageError(f"a song is a path or a binary file, not {type(song).__name__}")
    name = getattr(song, "name", "")
    try:
        folder = tempfile.mkdtemp(prefix="vocalsep-")
    except OSError as error:
        raise OutputError(f"there is no folder for temporary files ({error}); name one with TMPDIR") from None
    try:
        copy = pathlib.Path(folder) / (pathlib.PurePath(name).name if isinstance(name, str) else "")
        copy = pathlib.Path(folder) / "song" if copy == pathlib.Path(folder) else copy
        _copy(song, copy)
        yield copy
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(song: BinaryIO, target: pathlib.Path) -> None:
    try:
        with target.open("wb") as file:
            while data := _read(song):
                file.write(data)
    except OSError as error:
        raise OutputError(f"the song cannot be kept in {target.parent}: {reason(error)}") from None


def _read(song: BinaryIO) -> bytes:
    try:
        data = song.read(PIECE)
    except (OSError, ValueError) as error:
        raise AudioError(f"the file cannot be read ({error})") from None
    if data and not isinstance(data, (bytes, bytearray, memoryview)):
        raise UsageError("the file gives text, not bytes; open it with mode 'rb'")
    return data


def _seconds(time: float | str) -> float:
    if isinstance(time, str):
        return seconds(time)
    if not isinstance(time, numbers.Real):
        raise UsageError(f"a time is in seconds, or text such as '1:23.5', not {time!r}")
    return float(time)


def _rate(sample_rate: Any) -> int:
    """Return a rate in Hz as a whole number; raises AudioError where it is none."""
    whole = isinstance(sample_rate, numbers.Real) and not isinstance(sample_rate, bool)
    if not whole or not math.isfinite(sample_rate) or sample_rate != int(sample_rate):
        raise AudioError(f"the rate is a whole number of Hz, not {sample_rate!r}")
    return int(sample_rate)


def _checked(mixture: Any) -> np.ndarray:
    """Return real, bounded, floating-point samples of shape (samples,) or (channels, samples)."""
    try:
        if type(mixture).__module__.partition(".")[0] == "torch":
            mixture = mixture.detach().cpu()
            # numpy has no 16-bit floats of this kind.
            array = mixture.float().numpy() if str(mixture.dtype) == "torch.bfloat16" else mixture.numpy()
        else:
            array = np.asarray(mixture)
    except (TypeError, ValueError, RuntimeError) as error:
        raise AudioError(f"a mixture is an array of samples ({' '.join(str(error).split())})") from None
    if array.ndim not in (1, 2):
        raise AudioError(f"a mixture has the shape (samples,) or (channels, samples), not {array.shape}")
    if array.ndim == 2 and not 1 <= array.shape[0] <= MOST_CHANNELS:
        raise AudioError(
            f"a mixture has the shape (channels, samples) with 1 to {MOST_CHANNELS} channels, not {array.shape}; "
            "arrays of soundfile want transposing"
        )
    if array.dtype.kind == "i":
        array = array.astype(np.float64) / float(2 ** (8 * array.dtype.itemsize - 1))
    elif array.dtype.kind != "f":
        raise AudioError(f"a mixture holds real numbers, not {array.dtype}")
    array = array.astype(np.float64 if array.dtype.itemsize > 4 else np.float32, copy=False)
    if not (np.abs(array) < LOUDEST).all():
        raise AudioError("the mixture holds samples that are NaN, infinite or impossibly large")
    return array
