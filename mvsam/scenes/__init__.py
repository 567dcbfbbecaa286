"""Scenes kept in the server: encoded once, clicked on many times. What the Triton model `mvsam_scene` calls."""
