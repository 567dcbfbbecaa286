"""Where pointmaps come from besides the service: networks behind one interface, and files of measured geometry.

To add a network (WorldMirror, MapAnything), write a class with the `name` and `pointmaps` of
`provider.GeometryProvider`: lay the photographs out as the network was trained, run it, leave each photograph's own
rectangle with `depth.cut`, and bring all to one size with `depth.resampled`. A network with π³'s inputs and outputs
(Pi3X) needs nothing but a session: `Pi3Provider(session, pixels, name="Pi3X")`.
"""
