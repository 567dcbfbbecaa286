"""The scene as a coloured point cloud, objects tinted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mvsam_client.errors import InvalidRequestError
from mvsam_client.glb import glb
from mvsam_client.images import ImageSource, encode_image, upright
from mvsam_client.pictures import colour_of, tint
from mvsam_client.result import Segmentation
from mvsam_client.values import elements, instance, numbers

# What it is drawn from: to be asked of the server with the masks, or when the scene is encoded.
CLOUD_OUTPUTS = ("points", "confidence", "GEOMETRY_RECTS")

# The share of points that the model itself treats as unsure.
DROPPED_SHARE = 0.15
_VERTEX = np.dtype([("position", "<f4", 3), ("colour", "u1", 3)])


@dataclass(frozen=True, eq=False, repr=False)
class PointCloud:
    """Points in space.

    Attributes:
        positions: f32 [n, 3], in the geometry's own frame: x to the right, y down, z away from the first photograph.
        colours: uint8 [n, 3].
    """

    positions: np.ndarray
    colours: np.ndarray

    def __post_init__(self) -> None:
        """Raises InvalidRequestError where these are no positions and colours of as many points."""
        numbers(self.positions, np.float32, "positions")
        numbers(self.colours, np.uint8, "colours")
        shape, coloured = np.shape(self.positions), np.shape(self.colours)
        if len(shape) != 2 or shape[1] != 3 or coloured != shape:
            raise InvalidRequestError(f"positions are {list(shape)} and colours {list(coloured)}; give both as [n, 3]")

    def __repr__(self) -> str:
        return f"PointCloud({len(self.positions)} points)"

    def ply(self) -> bytes:
        """As a binary PLY file."""
        return ply(self.positions, self.colours)

    def glb(self) -> bytes:
        """As a binary glTF file."""
        return glb(self.positions, self.colours)


def point_cloud(
    result: Segmentation, photographs: Iterable[ImageSource], outputs: Mapping[str, np.ndarray]
) -> PointCloud:
    """The scene in colour, objects tinted; photographs are decoded one at a time.

    Args:
        result: whose masks tint.
        photographs: that were sent, in their order.
        outputs: CLOUD_OUTPUTS by name.

    Raises:
        InvalidRequestError: an output is missing, a photograph cannot be decoded, or it is none of the result's.
    """
    instance(outputs, Mapping, "outputs", "give `extra` of a segmentation or of a scene")
    missing = [name for name in CLOUD_OUTPUTS if name not in outputs]
    if missing:
        raise InvalidRequestError(
            f"the point cloud needs {' and '.join(missing)}; ask for them with `outputs={CLOUD_OUTPUTS}`"
        )
    height, width = outputs["points"].shape[1:3]
    given = elements(photographs, "photographs", "give those that were sent")
    result.check_photographs(len(given))
    samples = []
    for view, (image, rect) in enumerate(zip(given, outputs["GEOMETRY_RECTS"], strict=True)):
        name = f"photograph {view}"
        pixels = upright(encode_image(image, name), name)
        result.check_size(view, pixels, name)
        samples.append(view_colours(pixels, [row[view] for row in result.masks], rect, height, width))
    return joined(samples, outputs)


def joined(samples: Sequence[tuple[np.ndarray, np.ndarray]], outputs: Mapping[str, np.ndarray]) -> PointCloud:
    """The points of all views that are worth drawing.

    Args:
        samples: of `view_colours`, one a view.
        outputs: points [N, H, W, 3] and confidence [N, H, W].
    """
    inside, colours = (np.stack(arrays) for arrays in zip(*samples, strict=True))
    drawn = sure(outputs["points"], outputs["confidence"], inside)
    return PointCloud(outputs["points"][drawn], colours[drawn])


def view_colours(
    photograph: np.ndarray, masks: Sequence[np.ndarray], rect: np.ndarray, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Samples a photograph at the pixels of the geometry frame.

    Args:
        photograph: uint8 [h, w, 3].
        masks: bool [h, w], one an object.
        rect: (x, y, w, h), where the photograph lies in the geometry frame; the rest of the frame is padding.
        height: of the geometry frame.
        width: of the geometry frame.

    Returns:
        inside, bool [height, width]: whether the pixel shows the photograph; and colours, uint8 [height, width, 3],
        black outside.
    """
    rows, row_inside = _sample(height, rect[1], rect[3], photograph.shape[0])
    columns, column_inside = _sample(width, rect[0], rect[2], photograph.shape[1])
    inside = row_inside[:, None] & column_inside[None, :]
    colours = photograph[rows[:, None], columns[None, :]]
    for index, mask in enumerate(masks):
        tint(colours, mask[rows[:, None], columns[None, :]], colour_of(index))
    colours[~inside] = 0
    return inside, colours


def sure(points: np.ndarray, confidence: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Which points to draw: those of photographs, finite, and above the scene's lowest 15 % of confidence.

    Where all confidences are equal none is low.

    Args:
        points: [N, H, W, 3].
        confidence: [N, H, W].
        inside: bool [N, H, W], false on padding.

    Returns:
        bool [N, H, W].
    """
    usable = inside & np.isfinite(points).all(axis=-1) & np.isfinite(confidence)
    values = confidence[usable]
    if values.size == 0 or values.min() == values.max():
        return usable
    rank = int(np.ceil(DROPPED_SHARE * values.size)) - 1
    return usable & (confidence > np.partition(values, rank)[rank])


def ply(positions: np.ndarray, colours: np.ndarray) -> bytes:
    """A binary little-endian PLY file.

    Args:
        positions: [n, 3].
        colours: uint8 [n, 3].
    """
    vertices = np.empty(len(positions), _VERTEX)
    vertices["position"] = positions
    vertices["colour"] = colours
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(vertices)}",
        *(f"property float {axis}" for axis in "xyz"),
        *(f"property uchar {channel}" for channel in ("red", "green", "blue")),
        "end_header\n",
    ]
    return "\n".join(header).encode("ascii") + vertices.tobytes()


def _sample(count: int, start: float, extent: float, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Along one axis: the photograph's pixel under each of `count` frame pixels, and whether there is one."""
    share = (np.arange(count) + 0.5 - start) / extent
    return np.clip(np.floor(share * size), 0, size - 1).astype(np.intp), (share >= 0) & (share < 1)
