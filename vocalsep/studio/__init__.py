"""The karaoke studio: a page in the browser, served from this machine, where a song's voice is turned down."""
