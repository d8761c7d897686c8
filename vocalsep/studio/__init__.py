"""The karaoke studio: a page in the browser, served from this machine, where a song's voice is turned down."""

from ..system.extras import require

require("studio", "the studio")
