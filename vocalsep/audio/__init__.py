"""Audio files in blocks: decoding, resampling and encoding, never a whole file at once."""
