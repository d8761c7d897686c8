"""Songs and sounds on disk: found, described and read an excerpt at a time, never held in memory."""
