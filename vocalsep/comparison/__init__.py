"""Compare architectures that are trained on the same data for the same time."""

from ..system.extras import require

require("train", "a comparison")
