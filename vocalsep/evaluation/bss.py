"""BSS Eval through museval: version 4 as SiSEC 2018, version 3 as MIR-1K and iKala papers.

F.-R. Stöter, A. Liutkus, N. Ito: "The 2018 Signal Separation Evaluation Campaign", LVA/ICA 2018. E. Vincent,
R. Gribonval, C. Févotte: "Performance measurement in blind audio source separation", IEEE TASLP 2006. C.-L. Hsu,
J.-S. R. Jang: "On the improvement of singing voice separation for monaural recordings using the MIR-1K dataset", IEEE
TASLP 2010, for NSDR.
"""

from __future__ import annotations

import functools
import importlib.util
import math
import pathlib
import warnings
from typing import Any

import numpy as np

from ..errors import UsageError

V4 = ("SDR", "ISR", "SIR", "SAR")
# NSDR is the gain of SDR over the mixture's own.
V3 = ("NSDR", "SIR3", "SAR3")


def bss_v4(
    references: np.ndarray, estimates: np.ndarray, sample_rate: int, window_s: float = 1.0, hop_s: float = 1.0
) -> dict[str, np.ndarray]:
    """Score all sources of a track with BSS Eval v4, window by window.

    Parameters
    ----------
    references, estimates : ndarray (sources, channels, samples)
    sample_rate : int
        Hz.
    window_s, hop_s : float
        Length and distance of windows in seconds. A track shorter than a window is one window.

    Returns
    -------
    dict of ndarray (sources, windows)
        ``SDR``, ``ISR``, ``SIR`` and ``SAR`` in dB; nan in windows where any reference or estimate is silent.
    """
    window, hop = round(window_s * sample_rate), round(hop_s * sample_rate)
    if references.shape[2] < window:
        window = hop = references.shape[2]
    if not references.any(axis=(1, 2)).all() or not estimates.any(axis=(1, 2)).all():
        # museval would search long for the filters of a silent source, and find none.
        windows = max(1, (references.shape[2] - window + hop) // hop)
        return {name: np.full((len(references), windows), math.nan) for name in V4}
    first, second = (
        np.ascontiguousarray(sources.transpose(0, 2, 1), np.float64) for sources in (references, estimates)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = _metrics().bss_eval(first, second, window=window, hop=hop, compute_permutation=False)
    return dict(zip(V4, scores[: len(V4)], strict=True))


def median_v4(frames: dict[str, np.ndarray], source: int) -> dict[str, float]:
    """Return the median over windows of each figure of one source; nan if no window has one."""
    known = {name: values[source][np.isfinite(values[source])] for name, values in frames.items()}
    return {name: float(np.median(values)) if values.size else math.nan for name, values in known.items()}


def bss_v3(references: np.ndarray, estimates: np.ndarray) -> np.ndarray:
    """Score the sources of a track with BSS Eval v3 on the whole of it, in mono.

    Parameters
    ----------
    references, estimates : ndarray (sources, channels, samples)

    Returns
    -------
    ndarray (3, sources)
        SDR, SIR and SAR in dB; nan where any reference or estimate is silent.
    """
    true, estimated = (sources.mean(axis=1, dtype=np.float64) for sources in (references, estimates))
    if not true.any(axis=1).all() or not estimated.any(axis=1).all():
        return np.full((3, len(true)), math.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = _metrics().bss_eval_sources(true, estimated, compute_permutation=False)
    return np.stack(scores[:3])[..., 0]


@functools.cache
def _metrics() -> Any:
    """Museval's metrics alone: the package itself imports musdb, which needs the ffmpeg program."""
    package = importlib.util.find_spec("museval")
    if package is None or not package.submodule_search_locations:
        raise UsageError("museval is not installed", hint="pip install museval")
    path = pathlib.Path(next(iter(package.submodule_search_locations))) / "metrics.py"
    spec = importlib.util.spec_from_file_location("museval_metrics", path)
    if spec is None or spec.loader is None:
        raise UsageError("museval's metrics are missing", path=path, hint="install museval again")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
