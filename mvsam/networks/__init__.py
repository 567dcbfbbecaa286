"""The PyTorch networks that are exported: π³, the SAM2.1 image encoder and the 3-D promptable mask decoder."""
