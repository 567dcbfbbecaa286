"""Networks to ONNX graphs to a servable repository, each step verified."""
