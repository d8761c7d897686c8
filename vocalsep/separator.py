"""Separate mixtures into vocals and accompaniment: arrays, streams of any length, and files."""

from __future__ import annotations

import itertools
import numbers
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple, overload

import numpy as np

from .audio.arrays import check_rate, check_samples
from .audio.formats import output_format
from .audio.stem_file import STEM_FILE
from .dsp.exact_sum import STEMS
from .errors import UsageError
from .inference.backend import VOCALS
from .inference.engine import Engine
from .jobs.inputs import InputFile
from .jobs.name_template import fill_template
from .jobs.open_files import path_of_song
from .jobs.outputs import Encoding, OutputSpec, WriteOptions, all_stems, single_stem
from .jobs.rendering import render
from .jobs.separation import exact_stems
from .jobs.time_range import TimeRange, parse_time

# Arrays are passed to the stream in blocks of so many samples.
BLOCK_SAMPLES = 1 << 16
# Called with the samples done, and with those in all, None where that is unknown.
Progress = Callable[[int, int | None], None]


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
        the result independent of the chunks; more changes nothing, less is faster and lets seams appear. Of a model
        that takes segments: the share of each that overlaps with the next, by default the model's own.
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
    stems : tuple of str
        Names of the stems that the model has: ``vocals`` and ``accompaniment``, and of some models the parts of the
        latter, ``drums``, ``bass`` and ``other``, say.

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

    @overload
    def separate(
        self, mixture: Any, sample_rate: int, *, progress: Progress | None = None, stems: None = None
    ) -> Stems: ...

    @overload
    def separate(
        self, mixture: Any, sample_rate: int, *, progress: Progress | None = None, stems: Sequence[str]
    ) -> dict[str, Any]: ...

    def separate(
        self,
        mixture: Any,
        sample_rate: int,
        *,
        progress: Progress | None = None,
        stems: Sequence[str] | None = None,
    ) -> Stems | dict[str, Any]:
        """Separate a whole mixture.

        Parameters
        ----------
        mixture : ndarray or Tensor (samples,) or (channels, samples)
            Real samples, at most 8 channels; integers count as full scale of their type.
        sample_rate : int
            Hz, 4000 to 384000.
        progress : callable, optional
            Called with the samples done and the total.
        stems : sequence of str, optional
            Names of stems that the model has, see `stems`.

        Returns
        -------
        Stems, or dict
            Vocals and accompaniment, or the stems that were named, of the mixture's shape and kind (arrays or tensors),
            floating point of 32 bits or more.

        Raises
        ------
        AudioError
            The mixture has another shape, no real numbers, NaN, infinite or impossibly large samples, or an
            unsupported rate.
        ModelError
            The model makes NaN or infinite samples of it.
        UsageError
            The model has no such stem.

        Examples
        --------
        >>> import numpy as np
        >>> from vocalsep import Separator
        >>> mixture = np.random.default_rng(0).uniform(-0.1, 0.1, (2, 44100)).astype(np.float32)
        >>> stems = Separator().separate(mixture, 44100)
        >>> bool(np.allclose(stems.vocals + stems.accompaniment, mixture, atol=1e-6))
        True
        """
        names = self._stem_names(stems)
        tensor_device = getattr(mixture, "device", None) if type(mixture).__module__.startswith("torch") else None
        array = check_samples(mixture)
        sample_rate = check_rate(sample_rate)
        whole = np.atleast_2d(array)
        starts = range(0, whole.shape[1], BLOCK_SAMPLES)
        blocks = (whole[:, start : start + BLOCK_SAMPLES] for start in starts)
        separated = {name: np.zeros_like(whole) for name in names}
        done = 0
        for block in self._stems_of(blocks, sample_rate, whole.shape[0], names):
            for name, stem in block.items():
                separated[name][:, done : done + stem.shape[1]] = stem
            done += next(iter(block.values())).shape[1]
            if progress is not None:
                progress(done, whole.shape[1])
        found: dict[str, Any] = {name: stem.reshape(array.shape) for name, stem in separated.items()}
        if tensor_device is not None:
            import torch

            found = {name: torch.from_numpy(stem).to(tensor_device) for name, stem in found.items()}
        return Stems(**found) if stems is None else found

    @overload
    def stream(
        self,
        blocks: Iterable[Any],
        sample_rate: int,
        *,
        total: int | None = None,
        progress: Progress | None = None,
        stems: None = None,
    ) -> Iterator[Stems]: ...

    @overload
    def stream(
        self,
        blocks: Iterable[Any],
        sample_rate: int,
        *,
        total: int | None = None,
        progress: Progress | None = None,
        stems: Sequence[str],
    ) -> Iterator[dict[str, np.ndarray]]: ...

    def stream(
        self,
        blocks: Iterable[Any],
        sample_rate: int,
        *,
        total: int | None = None,
        progress: Progress | None = None,
        stems: Sequence[str] | None = None,
    ) -> Iterator[Stems] | Iterator[dict[str, np.ndarray]]:
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
        stems : sequence of str, optional
            Names of stems that the model has, see `stems`.

        Yields
        ------
        Stems, or dict
            ndarrays (channels, samples): vocals and accompaniment, or the stems that were named.

        Raises
        ------
        AudioError, ModelError, UsageError
            As `separate`; or the number of channels changes.

        Examples
        --------
        >>> import numpy as np
        >>> from vocalsep import Separator
        >>> blocks = (np.zeros((2, 4096), np.float32) for _ in range(10))
        >>> sum(vocals.shape[1] for vocals, accompaniment in Separator().stream(blocks, 44100))
        40960
        """
        names = self._stem_names(stems)
        sample_rate = check_rate(sample_rate)
        arrays = (np.atleast_2d(check_samples(block)) for block in blocks)
        first = next(arrays, None)
        if first is None:
            return
        done = 0
        for block in self._stems_of(itertools.chain([first], arrays), sample_rate, first.shape[0], names):
            done += next(iter(block.values())).shape[1]
            yield Stems(**block) if stems is None else block
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
        progress: Progress | None = None,
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
            Folder of the outputs, which are called like the stems, ``vocals`` and ``accompaniment`` by default, with
            the format's suffix.
        stems : sequence of str
            Which stems to write, of those in `stems`.
        format : str
            ``wav``, ``flac``, ``ogg``, ``opus``, ``mp3`` or ``m4a``; or ``stem.mp4``: one file with the song's name,
            which holds the mixture and its stems.
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
            raise UsageError(f"stems is empty; choose some of {', '.join(self.stems)}")
        time_range = TimeRange(_seconds(start), None if duration is None else _seconds(duration))
        options = WriteOptions(
            encoding,
            overwrite=overwrite,
            salvage=salvage,
            audio_stream=None if audio_stream is None else str(audio_stream),
            time_range=None if time_range == TimeRange() else time_range,
        )
        with path_of_song(path) as song:
            if encoding.format.name == STEM_FILE:
                if set(names) != set(STEMS):
                    raise UsageError(f"a {STEM_FILE} holds all stems; leave stems out, or choose another format")
                name = fill_template("{name}.{ext}", {"name": InputFile(song).name, "ext": STEM_FILE})
                outputs = [OutputSpec(all_stems(), pathlib.Path(out) / name)]
            else:
                suffix = encoding.format.suffix
                outputs = [
                    OutputSpec(single_stem(stem, self.stems), pathlib.Path(out) / f"{stem}{suffix}")
                    for stem in dict.fromkeys(names)
                ]
            render(self, song, outputs, options, progress)
        return {output.mix.name: output.target for output in outputs}

    def _stem_names(self, stems: Sequence[str] | None) -> tuple[str, ...]:
        """Return names of stems, by default vocals and accompaniment; raises UsageError."""
        names = STEMS if stems is None else (stems,) if isinstance(stems, str) else tuple(stems)
        if not names:
            raise UsageError(f"stems is empty; choose some of {', '.join(self.stems)}")
        for name in names:
            if name not in self.stems:
                raise UsageError(f"unknown stem {name!r}; this model has {', '.join(self.stems)}")
        return names

    def _stems_of(
        self, blocks: Iterable[np.ndarray], sample_rate: int, channels: int, names: Sequence[str]
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yield stems of these names, block by block."""
        instruments = () if set(names) <= set(STEMS) else self.instruments
        for mixture, sources in self.sources_of(blocks, sample_rate, channels, sources=(VOCALS, *instruments)):
            stems = exact_stems(mixture, sources, instruments)
            yield {name: stems[name] for name in names}


def _seconds(time: float | str) -> float:
    if isinstance(time, str):
        return parse_time(time)
    if not isinstance(time, numbers.Real):
        raise UsageError(f"a time is in seconds, or text such as '1:23.5', not {time!r}")
    return float(time)
