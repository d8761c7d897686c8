"""Pictures in YUV 4:2:0 as arrays, and pictures with transparency that are laid over them."""

from __future__ import annotations

from typing import Any

import numpy as np

# BT.709, limited range: from RGB of 0 to 255 to Y of 16 to 235 and U and V of 16 to 240.
RED, BLUE = 0.2126, 0.0722
GREEN = 1 - RED - BLUE
TO_YUV = (
    np.array(
        [
            [RED, GREEN, BLUE],
            [-RED / (2 - 2 * BLUE), -GREEN / (2 - 2 * BLUE), 0.5],
            [0.5, -GREEN / (2 - 2 * RED), -BLUE / (2 - 2 * RED)],
        ]
    )
    * np.array([[219], [224], [224]])
    / 255
)
OFFSET = np.array([16, 128, 128])
# Transparency is counted in 256 steps, so that a product with a byte fits 16 bits.
OPAQUE = 256


class Frame:
    """A picture in YUV 4:2:0.

    Parameters
    ----------
    width, height : int
        Even numbers.
    data : ndarray (height * 3 // 2, width), uint8, optional
        As PyAV takes ``yuv420p``; by default black.

    Attributes
    ----------
    luma, u, v : ndarray
        Views of `data`: (height, width), and twice (height / 2, width / 2).
    """

    def __init__(self, width: int, height: int, data: np.ndarray | None = None):
        if data is None:
            data = np.full((height * 3 // 2, width), 128, np.uint8)
            data[:height] = 16
        self.width, self.height, self.data = width, height, data
        flat = data.reshape(-1)
        size = width * height
        self.luma = flat[:size].reshape(height, width)
        self.u = flat[size : size * 5 // 4].reshape(height // 2, width // 2)
        self.v = flat[size * 5 // 4 :].reshape(height // 2, width // 2)

    def copy(self) -> Frame:
        """Return an independent copy."""
        return Frame(self.width, self.height, self.data.copy())


class Overlay:
    """A picture with transparency at a place of the frame.

    Parameters
    ----------
    image : PIL.Image.Image
        RGBA.
    left, top : int
        Place of its first pixel; it is cut at the edges of the frame.
    width, height : int
        Size of the frame.
    """

    def __init__(self, image: Any, left: int, top: int, width: int, height: int):
        # Chroma has half the resolution: the picture is placed on even pixels.
        pixels = np.asarray(image.convert("RGBA"))
        pixels = pixels[max(0, -top) : max(0, height - top), max(0, -left) : max(0, width - left)]
        self.left, self.top = max(0, left), max(0, top)
        before = (self.top % 2, self.left % 2)
        after = tuple((size + pad) % 2 for size, pad in zip(pixels.shape[:2], before, strict=True))
        pixels = np.pad(pixels, ((before[0], after[0]), (before[1], after[1]), (0, 0)))
        self.left, self.top = self.left - before[1], self.top - before[0]
        self.height, self.width = pixels.shape[:2]
        alpha = pixels[..., 3].astype(np.float64) * OPAQUE / 255
        weighted = (pixels[..., :3] @ TO_YUV.T + OFFSET) * alpha[..., None]
        self._luma = _Plane(alpha, weighted[..., 0])
        small = _halved(alpha)
        self._u, self._v = (_Plane(small, _halved(weighted[..., plane])) for plane in (1, 2))

    def blend(self, frame: Frame, first: int = 0, last: int | None = None) -> None:
        """Lay it over a frame, or only its columns from `first` up to `last`, even numbers."""
        last = self.width if last is None else last
        if last > first:
            self._luma.blend(frame.luma, self.top, self.left, first, last)
            for plane, target in ((self._u, frame.u), (self._v, frame.v)):
                plane.blend(target, self.top // 2, self.left // 2, first // 2, last // 2)

    def copy_columns(self, source: Frame, target: Frame, first: int, last: int) -> None:
        """Copy what lies under its columns from `first` up to `last`, even numbers, from one frame to another."""
        rows, columns = slice(self.top, self.top + self.height), slice(self.left + first, self.left + last)
        target.luma[rows, columns] = source.luma[rows, columns]
        rows, columns = (slice(one.start // 2, one.stop // 2) for one in (rows, columns))
        target.u[rows, columns] = source.u[rows, columns]
        target.v[rows, columns] = source.v[rows, columns]


class _Plane:
    def __init__(self, alpha: np.ndarray, weighted: np.ndarray):
        rounded = np.rint(alpha)
        self.clear = (OPAQUE - rounded).astype(np.uint16)
        # Rounded parts of a sum must not exceed 255.
        self.weighted = np.clip(np.rint(weighted), 0, 255 * rounded).astype(np.uint16)

    def blend(self, target: np.ndarray, top: int, left: int, first: int, last: int) -> None:
        height = self.clear.shape[0]
        region = target[top : top + height, left + first : left + last]
        region[:] = (region * self.clear[:, first:last] + self.weighted[:, first:last]) >> 8


def _halved(values: np.ndarray) -> np.ndarray:
    height, width = values.shape
    return values.reshape(height // 2, 2, width // 2, 2).mean((1, 3))


def yuv_frame(image: Any) -> Frame:
    """Return a Pillow image, of even width and height, as a frame."""
    frame = Frame(*image.size)
    Overlay(image, 0, 0, *image.size).blend(frame)
    return frame
