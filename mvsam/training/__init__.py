"""Training of the mask decoder as in the paper, and of the demo preset's own networks."""
