"""Evaluation: standard scores, oracle masks as upper bounds, and a report."""

from ..system.extras import require

require("train", "evaluation")
