"""Mix training examples from clean stems: augmentations, and the recipe that combines them."""

from ..system.extras import require

require("train", "mixing examples")
