"""Procedural multi-view scenes with exact pointmaps, depth, cameras and instance masks."""
