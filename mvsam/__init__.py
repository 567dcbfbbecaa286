"""MV-SAM: promptable segmentation of many photographs of one scene, through pointmaps."""

__version__ = "0.1.0"
