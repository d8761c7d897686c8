"""Training: data, losses, the training loop, and the folder of a run."""

from ..system.extras import require

require("train", "training")
