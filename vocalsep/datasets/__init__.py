"""Songs and sounds on disk: find them, describe them, and read excerpts."""
