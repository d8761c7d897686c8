"""From one input file to its output files: decode, separate, mix, encode, tag, and give each its final name."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import math
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..audio.decoding import open_source
from ..audio.formats import INTEGER_BITS
from ..audio.key_tempo import KeyTempo
from ..audio.selection import is_stem_file
from ..audio.sink import Sink
from ..audio.source import Source, SourceInfo
from ..audio.stem_file import STEM_FILE, StemSink, name_stems
from ..audio.video import replace_audio
from ..audio.video_plan import VideoPlan, audio_format, plan_video
from ..dsp.exact_sum import STEMS
from ..errors import AudioError, ModelError, UsageError
from ..inference.backend import VOCALS
from ..inference.engine import Engine
from ..karaoke_video import VideoContent, check_drawing, write_karaoke_video
from ..system.atomic_files import Pending
from ..system.background import run_in_thread
from ..system.signals import uninterrupted
from ..tags import Tags, read_tags, write_tags
from .karaoke_videos import video_content
from .outputs import OutputSpec, WriteOptions, single_stem
from .separation import clip_guard_gain, separate_source, source_remarks
from .time_range import TimeRange

# Samples are rounded to so many bits before lossy encoding too, so that the clip guard applies.
LOSSY_BITS = 24


@dataclasses.dataclass(frozen=True)
class Remark:
    """Something that the user should know about a result, and the name of the option that would change it, if any."""

    text: str
    option: str = ""


@dataclasses.dataclass
class RenderResult:
    """What was rendered.

    Attributes
    ----------
    info : SourceInfo
        The input file.
    samples : int
        Samples separated.
    seconds : float
        Time that it took.
    gain_db : float
        Gain of the clip guard.
    remarks : list of Remark
    """

    info: SourceInfo
    samples: int
    seconds: float
    gain_db: float
    remarks: list[Remark]


def render(
    engine: Engine,
    path: pathlib.Path,
    outputs: Sequence[OutputSpec],
    options: WriteOptions,
    progress: Callable[[int, int | None], None] | None = None,
    opened: Callable[[int, int | None], None] | None = None,
) -> RenderResult:
    """Separate one file and write its outputs, each completely; if one fails, none is written.

    Parameters
    ----------
    engine : Engine
    path : pathlib.Path
    outputs : sequence of OutputSpec
        At least one; all of them videos or none.
    options : WriteOptions
        Existing files are replaced or an error, also with `skip_existing`.
    progress : callable, optional
        Called with the samples done and the samples expected, None where the file does not say.
    opened : callable, optional
        Called before the first sample with the song's rate in Hz and the samples expected.

    Raises
    ------
    AudioError
        The file cannot be decoded, the format cannot hold it, or the time range starts after its end.
    OutputError
        An output cannot be written, or exists.
    ModelError
        The model makes NaN or infinite samples of it.
    LyricsError
        The words for a karaoke video cannot be read, or have no times.
    UsageError
        The format does not have the sample type, the model does not have a stem, or the time range of a video was
        asked for.
    """
    instruments = _instruments(engine, outputs, options)
    started = time.monotonic()
    try:
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(open_source(path, options.salvage, options.audio_stream))
            info = source.info
            plan = _RenderPlan(info, outputs, options)
            gain = clip_guard_gain(info, plan.bits, options.salvage)
            writers = [stack.enter_context(_OutputWriter(plan, output, instruments)) for output in outputs]
            blocks = separate_source(
                engine,
                source,
                bits=plan.bits,
                gain=gain,
                first=plan.first,
                stop=plan.stop,
                instruments=instruments,
            )
            samples = 0
            if opened is not None:
                opened(info.sample_rate, source.expected if options.time_range is None else plan.samples)
            for stems in stack.enter_context(contextlib.closing(blocks)):
                for writer in writers:
                    writer.write(stems)
                samples += stems[VOCALS].shape[1]
                if progress is not None:
                    done, total = (source.read, source.expected)
                    if options.time_range is not None:
                        done, total = samples, plan.samples
                    progress(done, total and total * plan.stages)
            if samples == 0:
                start, end = plan.first / info.sample_rate, source.read / info.sample_rate
                raise AudioError(f"start {start:g} lies past its end at {end:.1f} s")
            # All outputs are flushed to the disk at once. None is discarded while another thread finishes it.
            finishing: list[concurrent.futures.Future[None]] = []
            stack.callback(concurrent.futures.wait, finishing)
            for writer in writers:
                _finish_in_thread(writer, finishing)
            for future in finishing:
                future.result()
            for writer in writers:
                # In this thread, in which an interrupt ends it at once.
                writer.add_picture(lambda share: progress and progress(round(samples * (1 + share)), 2 * samples))
            for writer in writers:
                writer.commit()
    except (AudioError, ModelError) as error:
        error.about(path)
        raise
    seconds = time.monotonic() - started
    return RenderResult(info, samples, seconds, 20 * math.log10(gain), plan.remarks(source, gain))


def _instruments(engine: Engine, outputs: Sequence[OutputSpec], options: WriteOptions) -> tuple[str, ...]:
    """Return the engine's instruments if an output needs them, else none; raises UsageError for one it lacks."""
    asked = [output.mix.instrument for output in outputs if output.mix.instrument]
    for name in asked:
        single_stem(name, engine.stems)
    return engine.instruments if asked or options.encoding.format.name == STEM_FILE else ()


class _RenderPlan:
    """What all outputs of one input file have in common."""

    def __init__(self, info: SourceInfo, outputs: Sequence[OutputSpec], options: WriteOptions):
        self.info = info
        self.options = options
        mix = outputs[0].mix
        container = mix.container
        self.video: VideoPlan | None = None
        if mix.video:
            self.video = plan_video(info.path, info.stream, mix.video)
        # What the progress counts: separation, and the drawing of pictures.
        self.stages = 1 if mix.karaoke_video is None else 2
        self.format = audio_format(container) if container else options.encoding.format
        self.fitted = self.format.map_channels(info.channels, info.layout)
        self.subtype = self.format.subtype_for(info.subtype, options.encoding.subtype)
        self.bits = LOSSY_BITS if self.format.lossy else INTEGER_BITS.get(self.subtype or "")
        self.tags = read_tags(info.path)
        if options.time_range is not None and mix.video:
            raise UsageError(
                "a time range can be cut out of sound only", path=info.path, hint="choose a format without the picture"
            )
        self.words: VideoContent | None = None
        self.word_remarks: list[str] = []
        if mix.karaoke_video is not None:
            check_drawing(mix.karaoke_video.font)
            self.words, self.word_remarks = video_content(info, self.tags, mix, options.time_range or TimeRange())
        self.first, self.stop = (options.time_range or TimeRange()).samples(info.sample_rate)

    @property
    def samples(self) -> int | None:
        """Expected length of the outputs; None where the file does not say."""
        if self.info.samples is None:
            return None
        end = self.info.samples if self.stop is None else min(self.stop, self.info.samples)
        return max(0, end - self.first)

    def remarks(self, source: Source, gain: float) -> list[Remark]:
        remarks = []
        streams = self.info.streams
        if len(streams) > 1 and self.options.audio_stream is None and not is_stem_file(self.info.path):
            chosen = streams[self.info.stream]
            remarks.append(Remark(f"holds {len(streams)} audio streams: took {chosen}", "audio_stream"))
        texts = [*(self.video.remarks if self.video is not None else ()), *self.word_remarks]
        texts += source_remarks(source, gain)
        rate = self.format.rate_for(self.info.sample_rate)
        if rate != self.info.sample_rate:
            texts.append(f"{self.format.name} cannot hold {self.info.sample_rate} Hz: written at {rate} Hz")
        if not self.fitted.named:
            texts.append(
                f"{self.format.name} has no name for the channel layout {self.info.layout}: players see its channels "
                "only"
            )
        return remarks + [Remark(text) for text in texts]


class _OutputWriter:
    """Writes one output under a temporary name."""

    def __init__(self, plan: _RenderPlan, output: OutputSpec, instruments: Sequence[str]):
        self.plan = plan
        self.instruments = instruments
        self.mix = output.mix
        info, overwrite = plan.info, plan.options.overwrite
        self.samples = 0
        self.pending = self.pending_sound = Pending(output.target, overwrite)
        try:
            if self.mix.container:
                sound_path = output.target.with_suffix(plan.format.suffix)
                self.pending_sound = Pending(sound_path, overwrite=False)
            mix = self.mix
            self.shift = KeyTempo(info.channels, info.sample_rate, mix.key, mix.tempo) if mix.shifted else None
            self.sink = self._open_sink()
        except BaseException:
            self.pending_sound.discard()
            self.pending.discard()
            raise

    def __enter__(self) -> _OutputWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.sink.abandon()
        self.pending_sound.discard()
        self.pending.discard()

    def _open_sink(self) -> Sink | StemSink:
        plan, info = self.plan, self.plan.info
        path, bitrate = self.pending_sound.path, plan.options.encoding.bitrate
        if plan.format.name == STEM_FILE:
            return StemSink(
                path,
                sample_rate=info.sample_rate,
                channels=info.channels,
                bitrate=bitrate,
                instruments=self.instruments,
            )
        return Sink(
            path,
            plan.format,
            sample_rate=info.sample_rate,
            channels=info.channels,
            subtype=plan.subtype,
            bitrate=bitrate,
            samples=None if plan.samples is None else round(plan.samples * 100 / self.mix.tempo),
            layout=info.layout,
        )

    def write(self, stems: Mapping[str, np.ndarray]) -> None:
        """Mix and encode a block of the stems, (channels, samples) each."""
        vocals, accompaniment = (stems[name] for name in STEMS)
        self.samples += vocals.shape[1]
        if isinstance(self.sink, StemSink):
            self.sink.write(stems)
            return
        mix = self.mix
        if mix.instrument:
            block = stems[mix.instrument]
        elif mix.vocals == 0:
            block = accompaniment if mix.accompaniment == 1 else accompaniment * mix.accompaniment
        elif mix.accompaniment == 0:
            block = vocals if mix.vocals == 1 else vocals * mix.vocals
        else:
            block = vocals * mix.vocals + accompaniment * mix.accompaniment
        self.sink.write(block if self.shift is None else self.shift.push(block))

    def finish(self) -> None:
        """Complete the sound: its last samples, its tags, and the video that is copied."""
        if self.shift is not None and isinstance(self.sink, Sink):
            self.sink.write(self.shift.flush())
        self.sink.finish()
        plan = self.plan
        if plan.video is not None:
            title = self._tags().fields["title"][0]
            replace_audio(plan.info.path, self.pending_sound.path, self.pending.path, title, plan.video)
        elif plan.words is None:
            write_tags(self.pending.path, self._tags())
        if isinstance(self.sink, StemSink):
            name_stems(self.pending.path, self.sink.names)

    def add_picture(self, progress: Callable[[float], object]) -> None:
        """Draw the pictures of a karaoke video, and complete it with its tags; other outputs are complete already."""
        plan, settings = self.plan, self.mix.karaoke_video
        if plan.words is not None and settings is not None:
            sound, target = self.pending_sound.path, self.pending.path
            plan.word_remarks += write_karaoke_video(target, sound, plan.words, settings, progress)
            write_tags(target, self._tags())

    def _tags(self) -> Tags:
        mix, plan = self.mix, self.plan
        tags = plan.tags
        if plan.options.time_range is not None:
            tags = tags.excerpt(plan.first, self.samples, plan.info.sample_rate)
        return tags.at_key_and_tempo(mix.key, mix.tempo).with_title_mark(mix.title_suffix, plan.info.path.stem)

    def commit(self) -> None:
        """Give the file its final name."""
        self.pending.commit()


@uninterrupted
def _finish_in_thread(writer: _OutputWriter, finishing: list[concurrent.futures.Future[None]]) -> None:
    # A thread that was started, but is not in the list, would work on a file that is being discarded.
    finishing.append(run_in_thread(writer.finish))
