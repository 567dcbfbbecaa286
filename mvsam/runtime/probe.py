"""The request that only asks whether a model's process answers."""

PROBE = "mvsam-probe"  # its id; the model answers with nothing, computing nothing
