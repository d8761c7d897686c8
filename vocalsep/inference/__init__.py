"""Inference: backends, streams of masks and of waveforms, the engine, devices, and export to ONNX."""
