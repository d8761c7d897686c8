"""From one song file to its output files: decode, separate, mix, encode, tag, and only then name."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import math
import pathlib
import time
from collections.abc import Callable, Iterator

import numpy as np

from ..audio.decoding import open_source, peak
from ..audio.formats import INTEGER_BITS, Format
from ..audio.key_tempo import KeyTempo
from ..audio.selection import is_stem_file
from ..audio.sink import Sink
from ..audio.source import Source, SourceInfo
from ..audio.stem_file import STEM_FILE, StemSink, name_stems
from ..audio.video import replace_audio
from ..audio.video_plan import VideoPlan, audio_format, plan_video
from ..dsp.exact_sum import exact_accompaniment
from ..errors import AudioError, UsageError
from ..inference.engine import Engine
from ..system.atomic_files import Pending
from ..system.background import prefetch, run_in_thread
from ..tags import read_tags, write_tags
from .passage import Passage
from .remote import exists

# What is encoded with loss is first put on a grid this fine, so that the clip guard works on it too.
LOSSY_BITS = 24
# Blocks that may wait between the stages.
DECODED_AHEAD, SEPARATED_AHEAD = 4, 16


@dataclasses.dataclass(frozen=True)
class Encoding:
    """How outputs are written: format, sample type (None: the source's) and bits per second of a stereo pair."""

    format: Format
    subtype: str | None = None
    bitrate: int = 256_000


@dataclasses.dataclass(frozen=True)
class OutputSpec:
    """One output: how much of each stem it holds (linear gains), its title's mark, and where it goes.

    `video`, the suffix of a container, makes it a copy of the source's video with this sound. `url` says where it goes
    in the end, if not to this machine.
    """

    name: str
    mark: str
    vocals: float
    accompaniment: float
    target: pathlib.Path
    video: str = ""
    key: float = 0.0
    tempo: float = 100.0
    url: str = ""

    @property
    def place(self) -> str:
        """Where the user finds it."""
        return self.url or str(self.target)

    @property
    def there(self) -> bool:
        """Whether it is there already; raises OutputError where that cannot be told."""
        return exists(self.url) if self.url else self.target.exists()

    @property
    def shifted(self) -> bool:
        """Whether key or tempo differ from the song's."""
        return self.key != 0 or self.tempo != 100


def stem_output(stem: str, target: pathlib.Path) -> OutputSpec:
    """The track of ``vocals`` or ``accompaniment`` by itself; raises UsageError for any other name."""
    if stem not in ("vocals", "accompaniment"):
        raise UsageError(f"unknown stem {stem!r}; choose vocals or accompaniment")
    return OutputSpec(stem, stem.capitalize(), float(stem == "vocals"), float(stem == "accompaniment"), target)


def stem_file_track(target: pathlib.Path) -> OutputSpec:
    """The track that holds the mixture and all stems, for outputs of that format."""
    return OutputSpec("stems", "", 1.0, 1.0, target)


@dataclasses.dataclass
class Rendered:
    """What became of a song: lengths in samples, times in seconds, the gain of the clip guard in dB, remarks."""

    info: SourceInfo
    samples: int
    seconds: float
    gain_db: float
    remarks: list[str]


def render(
    engine: Engine,
    path: pathlib.Path,
    tracks: list[OutputSpec],
    encoding: Encoding,
    *,
    overwrite: bool = False,
    salvage: bool = False,
    progress: Callable[[int, int | None], None] | None = None,
    stream: int | str | None = None,
    passage: Passage | None = None,
) -> Rendered:
    """Separate one file and write its tracks, each whole; if one cannot be made, none is.

    Parameters
    ----------
    engine : Engine
    path : pathlib.Path
    tracks : list of OutputSpec
    encoding : Encoding
    overwrite : bool
        Replace files that stand under the tracks' names.
    salvage : bool
        Take what can be decoded of a damaged file.
    progress : callable, optional
        Called with the samples done and the samples expected, None where the file does not say.
    stream : int, str or None
        Which audio stream to take, as `open_source`.
    passage : Passage, optional
        Only this part of the song is written, with the samples that it has in the whole.

    Raises
    ------
    AudioError
        The file cannot be decoded, the format cannot hold it, or the passage lies past its end.
    OutputError
        An output cannot be written, or exists.
    ModelError
        The model makes NaN or infinite samples of it.
    UsageError
        The format has no such sample type.
    """
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(open_source(path, salvage, stream))
        info = source.info
        job = _Job(info, encoding, tracks, passage, asked=stream is not None)
        gain = job.guard_gain(salvage)
        outputs = [stack.enter_context(_Output(job, track, overwrite)) for track in tracks]
        # Decoding, separating and encoding go on at the same time.
        decoded = stack.enter_context(contextlib.closing(prefetch(_scaled(source, gain), DECODED_AHEAD)))
        pairs = engine.vocals_of(
            decoded, info.sample_rate, info.channels, layout=info.layout, first=job.first, stop=job.stop
        )
        separated = stack.enter_context(contextlib.closing(prefetch(pairs, SEPARATED_AHEAD)))
        written = 0
        for mixture, vocals in separated:
            stems = exact_accompaniment(mixture, vocals, job.bits)
            for output in outputs:
                output.write(*stems)
            written += mixture.shape[1]
            if progress is not None:
                if passage is None:
                    progress(source.read, source.expected)
                else:
                    progress(written, job.samples)
        if source.read == 0:
            raise AudioError("holds no samples: there is nothing to separate")
        if written == 0:
            start, end = job.first / info.sample_rate, source.read / info.sample_rate
            raise AudioError(f"--start {start:g} lies past its end at {end:.1f} s")
        # The disk is waited for once; whatever happens meanwhile, no output is given up while it is being finished.
        finished: list[concurrent.futures.Future[None]] = []
        stack.callback(concurrent.futures.wait, finished)
        for output in outputs:
            finished.append(run_in_thread(output.finish))
        for each in finished:
            each.result()
        for output in outputs:
            output.commit()
    return Rendered(info, written, time.monotonic() - started, 20 * math.log10(gain), job.remarks(source, gain))


def _scaled(source: Source, gain: float) -> Iterator[np.ndarray]:
    for block in source.blocks():
        yield block if gain == 1 else block * block.dtype.type(gain)


class _Job:
    """What holds for all tracks of one song."""

    def __init__(
        self,
        info: SourceInfo,
        encoding: Encoding,
        tracks: list[OutputSpec],
        passage: Passage | None = None,
        *,
        asked: bool = False,
    ):
        self.info = info
        self.encoding = encoding
        self.asked = asked
        container = tracks[0].video
        self.video: VideoPlan | None = plan_video(info.path, info.stream, container) if container else None
        self.form = audio_format(container) if container else encoding.format
        self.fitted = self.form.map_channels(info.channels, info.layout)
        self.subtype = self.form.subtype_for(info.subtype, encoding.subtype)
        self.bits = LOSSY_BITS if self.form.lossy else INTEGER_BITS.get(self.subtype or "")
        self.tags = read_tags(info.path)
        if passage is not None and tracks[0].video:
            raise UsageError("--start and --duration cut sound only; add --format for the sound alone of this video")
        self.passage = passage
        self.first, self.stop = (passage or Passage()).samples(info.sample_rate)

    @property
    def samples(self) -> int | None:
        """Expected length of the outputs; None where the file does not say."""
        if self.info.samples is None:
            return None
        end = self.info.samples if self.stop is None else min(self.stop, self.info.samples)
        return max(0, end - self.first)

    def guard_gain(self, salvage: bool) -> float:
        """The one gain that brings a mixture of more than full scale into an output that cannot hold that."""
        if self.bits is None or self.info.bounded:
            return 1.0
        loudest = peak(self.info.path, salvage, self.info.stream)
        return 1.0 if loudest <= 1 else 1 / loudest

    def remarks(self, source: Source, gain: float) -> list[str]:
        remarks = []
        streams = self.info.streams
        if len(streams) > 1 and not self.asked and not is_stem_file(self.info.path):
            taken = streams[self.info.stream]
            remarks.append(f"holds {len(streams)} audio streams: took {taken}; --audio-stream takes another")
        remarks += self.video.remarks if self.video is not None else ()
        if gain != 1:
            remarks.append(f"peaks at {-20 * math.log10(gain):+.1f} dB: all stems are lowered by that much")
        if source.repaired:
            remarks.append(f"{source.repaired} samples are NaN, infinite or impossibly large: taken as silence")
        if source.damaged:
            remarks.append(f"damaged, {source.damaged}: split what could be decoded")
        remarks += source.remarks
        rate = self.form.rate_for(self.info.sample_rate)
        if rate != self.info.sample_rate:
            remarks.append(f"{self.form.name} cannot hold {self.info.sample_rate} Hz: written at {rate} Hz")
        if not self.fitted.named:
            remarks.append(
                f"{self.form.name} has no name for the channel layout {self.info.layout}: players see its channels only"
            )
        return remarks


class _Output:
    """One track on its way to its file."""

    def __init__(self, job: _Job, track: OutputSpec, overwrite: bool):
        self.job = job
        self.track = track
        info = job.info
        self.samples = 0
        self.pending = self.sound = Pending(track.target, overwrite)
        try:
            if job.video is not None:
                self.sound = Pending(track.target.with_suffix(job.form.suffix), overwrite=False)
            self.shift = KeyTempo(info.channels, info.sample_rate, track.key, track.tempo) if track.shifted else None
            self.sink = self._sink()
        except BaseException:
            self.sound.discard()
            self.pending.discard()
            raise

    def __enter__(self) -> _Output:
        return self

    def __exit__(self, *_: object) -> None:
        self.sink.abandon()
        self.sound.discard()
        self.pending.discard()

    def _sink(self) -> Sink | StemSink:
        job, info = self.job, self.job.info
        path, bitrate = self.sound.path, job.encoding.bitrate
        if job.form.name == STEM_FILE:
            return StemSink(path, sample_rate=info.sample_rate, channels=info.channels, bitrate=bitrate)
        return Sink(
            path,
            job.form,
            sample_rate=info.sample_rate,
            channels=info.channels,
            subtype=job.subtype,
            bitrate=bitrate,
            samples=None if job.samples is None else round(job.samples * 100 / self.track.tempo),
            layout=info.layout,
        )

    def write(self, vocals: np.ndarray, accompaniment: np.ndarray) -> None:
        self.samples += vocals.shape[1]
        if isinstance(self.sink, StemSink):
            self.sink.write(vocals, accompaniment)
            return
        track = self.track
        if track.vocals == 0:
            block = accompaniment if track.accompaniment == 1 else accompaniment * track.accompaniment
        elif track.accompaniment == 0:
            block = vocals if track.vocals == 1 else vocals * track.vocals
        else:
            block = vocals * track.vocals + accompaniment * track.accompaniment
        self.sink.write(block if self.shift is None else self.shift.push(block))

    def finish(self) -> None:
        if self.shift is not None and isinstance(self.sink, Sink):
            self.sink.write(self.shift.flush())
        self.sink.finish()
        track, job = self.track, self.job
        tags = job.tags if job.passage is None else job.tags.excerpt(job.first, self.samples, job.info.sample_rate)
        tags = tags.at_key_and_tempo(track.key, track.tempo).with_title_mark(track.mark, job.info.path.stem)
        if job.video is not None:
            replace_audio(job.info.path, self.sound.path, self.pending.path, tags.fields["title"][0], job.video)
        else:
            write_tags(self.pending.path, tags)
        if isinstance(self.sink, StemSink):
            name_stems(self.pending.path)

    def commit(self) -> None:
        self.pending.commit()
