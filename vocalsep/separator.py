"""Separate mixtures into vocals and accompaniment: arrays, streams of any length, and files."""

from __future__ import annotations

import contextlib
import itertools
import math
import numbers
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from .audio.formats import output_format
from .audio.source import LOUDEST, MOST_CHANNELS
from .audio.stem_file import STEM_FILE
from .dsp.exact_sum import STEMS
from .errors import AudioError, UsageError, VocalsepError
from .inference.engine import Engine
from .jobs.inputs import InputFile
from .jobs.name_template import fill_template
from .jobs.outputs import Encoding, OutputSpec, WriteOptions, all_stems, single_stem
from .jobs.rendering import render
from .jobs.time_range import TimeRange, parse_time
from .system.atomic_files import output_error, temporary_folder

# Arrays are passed to the stream in blocks of so many samples.
BLOCK_SAMPLES = 1 << 16
# Open files are copied in blocks of so many bytes.
BLOCK_BYTES = 1 << 16


class Stems(NamedTuple):
    """Vocals and accompaniment of the same shape, (channels, samples); they sum to the mixture.

    Examples
    --------
    >>> import numpy as np
    >>> from vocalsep import Stems
    >>> stems = Stems(np.zeros((2, 5)), np.ones((2, 5)))
    >>> vocals, accompaniment = stems
    >>> stems.accompaniment.shape
    (2, 5)
    """

    vocals: Any
    accompaniment: Any


class Separator(Engine):
    """A model, ready to separate.

    It can be pickled and sent to another process, which loads the model again.

    Parameters
    ----------
    model : str or path
        Name of a shipped model, or path of a model file.
    device : str
        ``auto`` takes a GPU where there is one; ``cpu``, ``cuda`` and ``mps`` ask for one device. A device that is
        not available is replaced by the CPU, and `fallback` says so.
    threads : int, optional
        CPU threads, with torch for the whole process; by default as many as there are cores.
    overlap : float, optional
        Context of each chunk on either side, in seconds. By default the network's whole receptive field, which makes
        the result independent of the chunks; more changes nothing, less is faster and lets seams appear.
    core_frames : int, optional
        Frames of each chunk without its context; a multiple of the network's stride. More needs more memory.
    hard : bool
        Use a binary mask: each bin belongs to the vocals or to the accompaniment as a whole.
    backend : str
        ``torch``; ``onnx`` for ONNX Runtime, which needs a shipped or exported model; ``auto`` takes that where it is
        installed, the model has it and there is no GPU.
    precision : str
        Precision of the network's products: ``float32``, or with torch ``bfloat16`` or ``float16``, which are faster
        on hardware that has them.

    Attributes
    ----------
    where : str
        The device and backend, in words.
    device : str
        The device that is used.
    fallback : str
        Why it is not the one that was asked for; empty if it is.
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
            Called with the samples done and the total.

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

        Examples
        --------
        >>> import numpy as np
        >>> from vocalsep import Separator
        >>> mixture = np.random.default_rng(0).uniform(-0.1, 0.1, (2, 44100)).astype(np.float32)
        >>> stems = Separator().separate(mixture, 44100)
        >>> bool(np.allclose(stems.vocals + stems.accompaniment, mixture, atol=1e-6))
        True
        """
        tensor_device = getattr(mixture, "device", None) if type(mixture).__module__.startswith("torch") else None
        array = _check_samples(mixture)
        sample_rate = _check_rate(sample_rate)
        whole = np.atleast_2d(array)
        starts = range(0, whole.shape[1], BLOCK_SAMPLES)
        blocks = (whole[:, start : start + BLOCK_SAMPLES] for start in starts)
        vocals = np.zeros_like(whole)
        done = 0
        for _, block in self.vocals_of(blocks, sample_rate, whole.shape[0]):
            vocals[:, done : done + block.shape[1]] = block
            done += block.shape[1]
            if progress is not None:
                progress(done, whole.shape[1])
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
        """Separate a stream of blocks, and yield stems while further blocks arrive.

        Memory does not depend on the length of the stream. The stems come in blocks of other lengths than the
        mixture's, delayed by some tens of seconds, with as many samples in all.

        Parameters
        ----------
        blocks : iterable of ndarray or Tensor (samples,) or (channels, samples)
            All have the same number of channels.
        sample_rate : int
            Hz, 4000 to 384000.
        total : int, optional
            Samples expected, for `progress` only.
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

        Examples
        --------
        >>> import numpy as np
        >>> from vocalsep import Separator
        >>> blocks = (np.zeros((2, 4096), np.float32) for _ in range(10))
        >>> sum(vocals.shape[1] for vocals, accompaniment in Separator().stream(blocks, 44100))
        40960
        """
        sample_rate = _check_rate(sample_rate)
        arrays = (np.atleast_2d(_check_samples(block)) for block in blocks)
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
        audio_stream: int | str | None = None,
    ) -> dict[str, pathlib.Path]:
        """Separate a song or video file into files of its own length, rate and channels.

        Parameters
        ----------
        path : str, path or binary file
            An open file is read from its current position to its end, and need not be seekable.
        out : str or path
            Folder of the outputs, which are called ``vocals`` and ``accompaniment`` with the format's suffix.
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
            Replace existing files; otherwise they are an error.
        salvage : bool
            Decode what can be decoded of a damaged file.
        progress : callable, optional
            Called with the samples done and the samples expected, None where the file does not say.
        start, duration : float or str
            Separate only this part, which gives the same samples as the whole song: seconds, or text such as
            ``1:23.5``. By default all of it.
        audio_stream : int or str, optional
            Which of several audio streams to take: its number from 1, or a language's code. By default the one that is
            marked as default, else the first.

        Returns
        -------
        dict
            The path of each stem, or that of the one file as ``stems``.

        Raises
        ------
        AudioError
            The file cannot be decoded.
        OutputError
            An output cannot be written; OutputExistsError where it exists.
        ModelError
            The model makes NaN or infinite samples of it.
        UsageError
            An option makes no sense.

        Examples
        --------
        >>> import numpy as np
        >>> import soundfile
        >>> from vocalsep import Separator
        >>> soundfile.write("song.wav", np.zeros((44100, 2)), 44100)
        >>> paths = Separator().separate_file("song.wav", "stems", format="flac")
        >>> [(stem, path.name) for stem, path in paths.items()]
        [('vocals', 'vocals.flac'), ('accompaniment', 'accompaniment.flac')]
        """
        encoding = Encoding(output_format(format), subtype, bitrate)
        names = [stems] if isinstance(stems, str) else list(stems)
        if not names:
            raise UsageError("stems is empty; choose vocals, accompaniment or both")
        time_range = TimeRange(_seconds(start), None if duration is None else _seconds(duration))
        options = WriteOptions(
            encoding,
            overwrite=overwrite,
            salvage=salvage,
            audio_stream=None if audio_stream is None else str(audio_stream),
            time_range=None if time_range == TimeRange() else time_range,
        )
        with _as_path(path) as song:
            if encoding.format.name == STEM_FILE:
                if set(names) != set(STEMS):
                    raise UsageError(f"a {STEM_FILE} holds all stems; leave stems out, or choose another format")
                name = fill_template("{name}.{ext}", {"name": InputFile(song).name, "ext": STEM_FILE})
                outputs = [OutputSpec(all_stems(), pathlib.Path(out) / name)]
            else:
                suffix = encoding.format.suffix
                outputs = [
                    OutputSpec(single_stem(stem), pathlib.Path(out) / f"{stem}{suffix}")
                    for stem in dict.fromkeys(names)
                ]
            render(self, song, outputs, options, progress)
        return {output.mix.name: output.target for output in outputs}


@contextlib.contextmanager
def _as_path(song: str | os.PathLike[str] | BinaryIO) -> Iterator[pathlib.Path]:
    """Give the path of a song, or that of a temporary copy of an open file: decoders need names, and seek."""
    if isinstance(song, (str, os.PathLike)):
        yield pathlib.Path(song)
        return
    if not callable(getattr(song, "read", None)):
        raise UsageError(f"a song is a path or a binary file, not {type(song).__name__}")
    name = getattr(song, "name", "")
    with temporary_folder() as folder:
        copy = folder / (pathlib.PurePath(name).name if isinstance(name, str) else "")
        copy = folder / "song" if copy == folder else copy
        _copy(song, copy)
        try:
            yield copy
        except VocalsepError as error:
            # The caller knows the file by its own name, if it has one.
            if error.path == str(copy):
                error.path = name if isinstance(name, str) and name else None
            raise


def _copy(song: BinaryIO, target: pathlib.Path) -> None:
    try:
        with target.open("wb") as file:
            while data := _read(song):
                file.write(data)
    except OSError as error:
        raise output_error(target.parent, error, "the song cannot be copied to this folder") from None


def _read(song: BinaryIO) -> bytes:
    try:
        data = song.read(BLOCK_BYTES)
    except (OSError, ValueError) as error:
        raise AudioError(f"the file cannot be read ({error})") from None
    if data and not isinstance(data, (bytes, bytearray, memoryview)):
        raise UsageError("the file gives text, not bytes; open it with mode 'rb'")
    return data


def _seconds(time: float | str) -> float:
    if isinstance(time, str):
        return parse_time(time)
    if not isinstance(time, numbers.Real):
        raise UsageError(f"a time is in seconds, or text such as '1:23.5', not {time!r}")
    return float(time)


def _check_rate(sample_rate: Any) -> int:
    """Return a rate in Hz as an int; raises AudioError unless it is a whole number."""
    whole = isinstance(sample_rate, numbers.Real) and not isinstance(sample_rate, bool)
    if not whole or not math.isfinite(sample_rate) or sample_rate != int(sample_rate):
        raise AudioError(f"the rate is a whole number of Hz, not {sample_rate!r}")
    return int(sample_rate)


def _check_samples(mixture: Any) -> np.ndarray:
    """Return floating-point samples of shape (samples,) or (channels, samples); raises AudioError for other input."""
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
            "transpose arrays from soundfile"
        )
    if array.dtype.kind == "i":
        array = array.astype(np.float64) / float(2 ** (8 * array.dtype.itemsize - 1))
    elif array.dtype.kind != "f":
        raise AudioError(f"a mixture holds real numbers, not {array.dtype}")
    array = array.astype(np.float64 if array.dtype.itemsize > 4 else np.float32, copy=False)
    if not (np.abs(array) < LOUDEST).all():
        raise AudioError("the mixture holds samples that are NaN, infinite or impossibly large")
    return array
