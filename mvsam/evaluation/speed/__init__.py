"""How fast the networks are: every runtime beside the others and beside SAM2-Video, interleaved in one run."""
