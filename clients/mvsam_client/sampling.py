"""Some of many at even distances."""


def even_places(count: int, most: int | None) -> list[int]:
    """At most so many places among `count`, the first and the last among them; all where `most` is None."""
    if most is None or count <= most:
        return list(range(count))
    return [0] if most == 1 else [round(i * (count - 1) / (most - 1)) for i in range(most)]
