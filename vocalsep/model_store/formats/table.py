"""The readers of all kinds of files, in the order in which they are tried."""

from __future__ import annotations

from ...checks import VALUE_ERRORS, shown
from ...errors import ModelError
from . import demucs_file, mdx23c_file, onnx_graph, own, roformer_file
from .given import Converted, Given

READERS = (own.read, onnx_graph.read, demucs_file.read, roformer_file.read, mdx23c_file.read)
# What is in place of a large file when a repository is cloned without it.
LFS = b"version https://git-lfs"
KNOWN = (
    "Demucs (.th, .yaml, .safetensors), MDX-Net (.onnx), RoFormer and MDX23C (.ckpt with its .yaml), and vocalsep's own"
)


def convert(given: Given) -> Converted:
    """Convert a file to our own format.

    Raises
    ------
    ModelError
        The file is damaged, or of no known kind.
    UsageError
        Its configuration is missing.
    MissingExtraError
        What reads or computes it is not installed.
    """
    if not given.start:
        raise ModelError("is empty (0 bytes)", path=given.path, hint="download it again")
    if given.start.startswith(LFS):
        raise ModelError(
            "only names a file that Git LFS keeps", path=given.path, hint="fetch it with `git lfs pull`, or download it"
        )
    if given.start.lstrip()[:1] == b"<":
        raise ModelError(
            "is a web page, not a model", path=given.path, hint="take the address of the file itself, not of its page"
        )
    for read in READERS:
        try:
            converted = read(given)
        except OSError as error:
            raise ModelError(f"cannot be read ({error.strerror or error})", path=given.path) from None
        except VALUE_ERRORS as error:
            raise ModelError(f"its description makes no sense ({shown(str(error))})", path=given.path) from error
        if converted is not None:
            return converted
    raise ModelError("is no model of a known family", path=given.path, hint=f"known are {KNOWN}")
