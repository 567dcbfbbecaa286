"""Where pointmaps come from besides the service: networks behind one interface, and files of measured geometry.

docs/geometry.md says how to add one.
"""
