"""How many of everything an engine is built for: smallest, usual and largest shapes of a graph's inputs.

The smallest request has one of everything, whatever the largest has.
"""

from dataclasses import dataclass

from mvsam.networks.graphs import Graph
from mvsam.networks.presets import Preset
from mvsam.pipeline.frames import geometry_size

Range = tuple[int, int]  # usual, largest
REFINED = 32  # former masks, objects × views, that one call of the decoder takes beside it


@dataclass(frozen=True)
class Sizes:
    """Of a request.

    Attributes:
        views: photographs at a time.
        objects: masks of each view.
        prompts: points of each object, those that boxes and masks become among them.
        aspect: of the widest photograph to its height, and of the tallest to its width.
    """

    views: Range = (8, 32)
    objects: Range = (1, 8)
    prompts: Range = (12, 64)
    aspect: float = 2.0

    def __post_init__(self) -> None:
        """Raises ValueError where a range is not in order."""
        for name in ("views", "objects", "prompts"):
            usual, most = getattr(self, name)
            if not 1 <= usual <= most:
                raise ValueError(f"{name} {usual} {most}: give usual and most, each at least 1")
        if self.aspect < 1:
            raise ValueError(f"aspect {self.aspect}: give the longer side over the shorter, at least 1")

    def shapes(self, graph: Graph, preset: Preset) -> dict[str, list[tuple[int, ...]]]:
        """For each input the smallest, the usual and the largest shape."""
        pixels, patch = preset.geometry_pixels, preset.pi3.patch
        height, width = geometry_size(4 / 3, pixels, patch)
        least, most = geometry_size(max(self.aspect, 4 / 3), pixels, patch)
        side, e = preset.encoder.side, preset.grid_side
        ranges = {
            "views": (1, *self.views),
            "height": (least, height, most),
            "width": (least, width, most),
            "objects": (1, *self.objects),
            "prompts": (1, *self.prompts),
            "masks1": (1, 1, 1 + max(REFINED, self.objects[1])),
        }
        ranges |= {
            name: (size, size, size)
            for name, size in (("S", side), ("E", e), ("EE", e * e), ("2E", 2 * e), ("4E", 4 * e))
        }
        return {
            name: [tuple(axis if isinstance(axis, int) else ranges[axis][i] for axis in axes) for i in range(3)]
            for name, axes in graph.inputs.items()
        }
