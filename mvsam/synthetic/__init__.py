"""Procedural multi-view scenes with exact pointmaps and masks."""
