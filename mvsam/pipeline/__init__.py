"""From photographs and prompts to tensors and back: what the Triton models call, in NumPy only."""
