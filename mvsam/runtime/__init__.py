"""One call over the graphs, whichever runtime computes them."""
