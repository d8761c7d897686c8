"""ONNX files of other programs: MDX-Net, and HT-Demucs."""

from __future__ import annotations

from typing import Any

from ...errors import ModelError, UsageError
from ...inference.backend import VOCALS
from ...inference.families import htdemucs_onnx, mdx_net
from ...inference.families.table import FamilyInfo
from ...inference.onnx_session import Graph, graph_errors
from ...model_files.yaml_file import read_yaml
from .given import KARAOKE_REMARK, Converted, Given, source_name

# Axes of the only input of MDX-Net: batch, planes, bins, frames.
MDX_AXES = 4
HTDEMUCS_LICENCE = "given by its author for research (issues 327 and 508 of facebookresearch/demucs)"
UNLISTED = (
    "not one of the files that are listed publicly, so its transform is unknown; name a JSON or YAML file with "
    "mdx_n_fft_scale_set, primary_stem and compensate as its configuration"
)


def read(given: Given) -> Converted | None:
    """Recognise a graph of MDX-Net or HT-Demucs.

    Raises
    ------
    ModelError
        The graph is damaged or of another network, or separates something else than a voice.
    UsageError
        The file is not listed and has no configuration; MissingExtraError without ONNX Runtime.
    """
    if given.path.suffix.lower() != ".onnx":
        return None
    try:
        with graph_errors(given.path):
            graph = Graph(given.path)
            inputs = [list(each.shape) for each in graph.plain.get_inputs()]
            outputs = [list(each.shape) for each in graph.plain.get_outputs()]
    except ModelError as error:
        if error.hint:
            raise ModelError(
                "not an ONNX graph, or a part of it is missing", path=given.path, hint="download it again"
            ) from None
        raise
    try:
        if len(inputs) == len(outputs) == 1 and len(inputs[0]) == MDX_AXES:
            return Converted(_mdx_net(given, inputs[0]))
        if len(inputs) == len(outputs) == 2:
            return Converted(_htdemucs(given, inputs, outputs))
    except (ModelError, UsageError) as error:
        raise error.about(given.path) from None
    return None


def _mdx_net(given: Given, axes: list[Any]) -> FamilyInfo:
    _, planes, bins, frames = axes
    if planes != mdx_net.PLANES or not isinstance(bins, int) or not isinstance(frames, int):
        raise ModelError("an ONNX graph of no known family", hint="MDX-Net graphs take four planes of bins and frames")
    facts = _mdx_facts(given)
    stem = source_name(str(facts["stem"]), 2)
    config = mdx_net.Config(
        n_fft=facts["n_fft"], bins=bins, frames=frames, source=stem, compensation=facts["compensation"]
    )
    remarks = [] if stem == VOCALS else ["estimates the accompaniment; the vocals are the rest"]
    remarks += [KARAOKE_REMARK] if facts.get("karaoke") else []
    return FamilyInfo("mdx-net", config, given.card("; ".join(remarks)), _values(given))


def _mdx_facts(given: Given) -> dict[str, Any]:
    """Return transform and stem of a file as its configuration says, or else as is publicly listed of it."""
    if given.config is None:
        if "n_fft" not in given.facts:
            raise UsageError(UNLISTED)
        return given.facts
    values = read_yaml(given.config)
    try:
        return {
            "n_fft": values["mdx_n_fft_scale_set"],
            "stem": values["primary_stem"],
            "compensation": values.get("compensate", 1.0),
            "karaoke": values.get("is_karaoke") is True,
        }
    except KeyError as error:
        raise ModelError(f"not the configuration of an MDX-Net (it has no {error})", path=given.config) from None


def _htdemucs(given: Given, inputs: list[list[Any]], outputs: list[list[Any]]) -> FamilyInfo:
    wave = next((axes for axes in inputs if len(axes) == 3), [])
    config = htdemucs_onnx.Config()
    if wave[1:] != [htdemucs_onnx.CHANNELS, config.samples] or any(len(config.sources) not in axes for axes in outputs):
        raise ModelError("an ONNX graph of no known family", hint="HT-Demucs takes 2 channels of 343980 samples")
    return FamilyInfo("htdemucs-onnx", config, given.card(licence=HTDEMUCS_LICENCE), _values(given))


def _values(given: Given) -> int:
    """Return about how many 32-bit values a graph holds: nearly all of its file."""
    return given.path.stat().st_size // 4
