"""From a model to vocals: backends, streams of masks and of waveforms, the engine, export to ONNX."""
