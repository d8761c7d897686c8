"""Score many tracks in parallel processes, and never the same one twice."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import json
import math
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from ..datasets.songs import Song
from ..errors import AudioError, OutputError, VocalsepError
from ..system.atomic_files import os_error_text, write_text
from ..system.process_pool import blocked_signals, init_worker, interruptible, process_pool
from .estimates import find_estimates
from .methods import Method, load_track
from .results import TRACKS, TrackResult, plain, plot_path, result_path
from .scoring import ScoringSettings, TrackScorer, silent_stems

# Results of other versions of the scoring code are made again.
VERSION = 1


@dataclasses.dataclass(frozen=True)
class EvaluationPlan:
    """Settings that all worker processes share.

    Parameters
    ----------
    methods : tuple of Method
    settings : ScoringSettings
    device : str
        Where models run.
    folder : pathlib.Path, optional
        Where finished tracks are kept.
    plots : bool
        Whether to draw each track's spectrograms beside its results.
    """

    methods: tuple[Method, ...]
    settings: ScoringSettings
    device: str
    folder: pathlib.Path | None
    plots: bool


def evaluate(
    songs: Sequence[Song], plan: EvaluationPlan, jobs: int, done: Callable[[TrackResult], None]
) -> list[TrackResult]:
    """Score songs and return their results in the songs' order.

    Parameters
    ----------
    songs : sequence of Song
    plan : EvaluationPlan
    jobs : int
        Processes, among which the machine's cores are shared; one is this process.
    done : callable
        Called with the result of each track.

    Raises
    ------
    OutputError
        Results cannot be written.
    VocalsepError
        A process was killed or crashed.
    """
    if plan.folder is not None:
        _make(plan.folder / TRACKS)
    results: dict[int, TrackResult] = {}
    waiting: list[int] = []
    for number, song in enumerate(songs):
        known = _known(song, plan)
        if known is None:
            waiting.append(number)
        else:
            results[number] = known
            done(known)
    for number, result in _scored(songs, waiting, plan, jobs):
        results[number] = result
        done(result)
    return [results[number] for number in range(len(songs))]


def _scored(
    songs: Sequence[Song], waiting: Sequence[int], plan: EvaluationPlan, jobs: int
) -> Iterator[tuple[int, TrackResult]]:
    if not waiting:
        return
    workers = min(jobs, len(waiting))
    threads = max(1, (os.cpu_count() or 1) // workers)
    if workers == 1:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(threads):
            for number in waiting:
                yield number, _scored_track(songs[number], plan, threads)
        return
    try:
        with process_pool(workers, _begin, (threads,)) as processes:
            with blocked_signals():
                running = {processes.submit(score_track, songs[number], plan, threads): number for number in waiting}
            for future in concurrent.futures.as_completed(running):
                yield running[future], future.result()
    except BrokenProcessPool:
        raise VocalsepError(
            "a process that scored songs ended; memory may have run out",
            hint="one process needs less; with a folder for the results, what is finished is kept",
        ) from None


def _begin(threads: int) -> None:
    init_worker()

    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)


def score_track(song: Song, plan: EvaluationPlan, threads: int) -> TrackResult:
    """Score all rows on one song, and keep the result; an unreadable song has an error instead of scores."""
    with interruptible():
        return _scored_track(song, plan, threads)


def _scored_track(song: Song, plan: EvaluationPlan, threads: int) -> TrackResult:
    try:
        track = load_track(song, plan.settings.snr_db)
        seconds = track.mixture.shape[1] / track.sample_rate
        scorer = TrackScorer(track, plan.settings)
        scores = {}
        estimates = {}
        for row in plan.methods:
            estimates[row.name] = row.separate(track, plan.device, threads)
            scores[row.name] = scorer.score(estimates[row.name])
        result = TrackResult(song.name, seconds, scores, tuple(silent_stems(track)))
        if plan.folder is not None and plan.plots:
            from .plots import save_track_plot

            last = plan.methods[-1].name
            save_track_plot(plot_path(plan.folder, song.name), track, estimates[last][0], last)
    except VocalsepError as error:
        return TrackResult(song.name, 0.0, {}, error=str(error))
    if plan.folder is not None:
        _keep(plan, song, result)
    return result


def _known(song: Song, plan: EvaluationPlan) -> TrackResult | None:
    if plan.folder is None:
        return None
    try:
        stored = json.loads(result_path(plan.folder, song.name).read_text("utf-8"))
        if stored["key"] != _key(song, plan) or (plan.plots and not plot_path(plan.folder, song.name).is_file()):
            return None
        scores = {
            row: {stem: {name: _number(value) for name, value in figures.items()} for stem, figures in stems.items()}
            for row, stems in stored["scores"].items()
        }
        return TrackResult(song.name, float(stored["seconds"]), scores, tuple(stored["silent"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _keep(plan: EvaluationPlan, song: Song, result: TrackResult) -> None:
    if plan.folder is None:
        return
    content = {"key": _key(song, plan), **dataclasses.asdict(result)}
    write_text(result_path(plan.folder, song.name), json.dumps(plain(content)))


def _key(song: Song, plan: EvaluationPlan) -> str:
    """Digest of all that a track's figures depend on."""
    files = []
    for clip in song.clips:
        try:
            state = clip.path.stat()
        except OSError:
            continue
        files.append([str(clip.path.resolve()), clip.stream, state.st_size, state.st_mtime_ns])
    rows = [[row.kind, row.name, row.identity, _estimate_state(row, song)] for row in plan.methods]
    content = [VERSION, files, rows, dataclasses.asdict(plan.settings)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _estimate_state(row: Method, song: Song) -> list[list[Any]]:
    home = None
    if row.kind == "estimates":
        # Several that fit are an error where the song is scored.
        with contextlib.suppress(AudioError):
            home = find_estimates(pathlib.Path(row.source), song.name)
    if home is None:
        return []
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in sorted(home.iterdir())]


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _make(folder: pathlib.Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot be created ({os_error_text(error)})", path=folder) from None
