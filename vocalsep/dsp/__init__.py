"""Signal processing: STFT, chunking, metrics, exact sums."""
