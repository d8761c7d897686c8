"""What computes a network's estimates: torch, or ONNX Runtime without torch."""
