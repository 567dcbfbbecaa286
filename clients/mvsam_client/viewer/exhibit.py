"""Everything about a scene that the page shows and that clicks do not change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mvsam_client.errors import ServerError
from mvsam_client.images import Photograph, upright
from mvsam_client.viewer.cameras import Camera, cameras
from mvsam_client.viewer.picking import Pixel, pixel_at
from mvsam_client.viewer.placement import Placement
from mvsam_client.viewer.points import Points, certainties, stride_for, usable
from mvsam_client.viewer.wall import Wall

# What to ask of the server at the encoding.
OUTPUTS = ("points", "confidence", "camera_poses", "GEOMETRY_RECTS")
PICTURE_SIDE = 640  # pixels of the photographs on the page, the longer side
BESIDE = 0.35  # between the wall and what is to the right of it
STRAYS = 0.15  # of the points, on either side
FOREGROUND = 0.01  # of the points, before the wall


@dataclass(frozen=True, eq=False)
class Exhibit:
    """A scene on the page; N views, n points that are drawn.

    Attributes:
        names: of the photographs.
        pictures: the photographs, uint8 [h, w, 3], small enough for the page.
        maps: f32 [N, H, W, 3], the pointmaps in the server's frame.
        certainty: f32 [N, H, W] (see `points.certainties`).
        rects: f32 [N, 4], the photographs in the pointmaps.
        placement: from the server's frame to the page.
        points: those that are drawn.
        positions: f32 [n, 3] on the page.
        colours: uint8 [n, 3].
        bulk: [2, 3], least and largest coordinates of the points without strays.
        spacing: between neighbouring points, on the page.
        wall: with the photographs.
        cameras: one a view.
    """

    names: list[str]
    pictures: list[np.ndarray]
    maps: np.ndarray
    certainty: np.ndarray
    rects: np.ndarray
    placement: Placement
    points: Points
    positions: np.ndarray
    colours: np.ndarray
    bulk: np.ndarray
    spacing: float
    wall: Wall
    cameras: list[Camera]

    @classmethod
    def of(cls, photographs: Sequence[Photograph], extra: Mapping[str, np.ndarray]) -> "Exhibit":
        """From what `Client.encode` has answered.

        Args:
            photographs: those that were encoded; decoded one at a time.
            extra: `Scene.extra`, with OUTPUTS.

        Raises:
            ServerError: the server left one of OUTPUTS out, or no point is finite.
            InvalidRequestError: a photograph cannot be decoded.
        """
        if missing := [name for name in OUTPUTS if name not in extra]:
            raise ServerError(f"the server left out {', '.join(missing)}; update the older of client and server")
        maps, confidence, poses, rects = (extra[name] for name in OUTPUTS)
        shown = usable(maps, confidence, rects)
        if not shown.any():
            raise ServerError("no point of this scene is finite; its geometry cannot be shown")
        certainty = certainties(confidence, shown)
        sizes, pictures = [], []
        for photograph in photographs:
            whole = upright(photograph.encoded, photograph.name)
            sizes.append(whole.shape[:2])
            pictures.append(_small(whole))
        stride = stride_for(int(shown.sum()))
        points = Points.of(shown, rects, stride)
        drawn = maps[points.views, points.rows, points.columns]
        placement = Placement.of(drawn, poses)
        positions = placement.points(drawn)
        placed = cameras(maps, certainty, poses, rects, sizes, placement)
        bulk = np.quantile(positions, [STRAYS, 1 - STRAYS], axis=0)
        standing = np.min([camera.position for camera in placed], axis=0)
        right_edge = min(bulk[0, 0], standing[0]) - BESIDE
        front = min(np.quantile(positions[:, 1], FOREGROUND), standing[1])
        return cls(
            names=[photograph.name for photograph in photographs],
            pictures=pictures,
            maps=maps,
            certainty=certainty,
            rects=rects,
            placement=placement,
            points=points,
            positions=positions,
            colours=points.colours(pictures),
            bulk=bulk,
            spacing=_spacing(maps, shown) * stride * placement.scale,
            wall=Wall.of(sizes, float(right_edge), float(front)),
            cameras=placed,
        )

    def is_surer(self, certainty: np.ndarray, share: float) -> np.ndarray:
        """Which points to show so that this share of the least sure is hidden; the surest ones always."""
        return certainty >= np.clip(share, 0, self.certainty.max())

    def position_of(self, pixel: Pixel) -> np.ndarray:
        """Where on the page the point of a photograph's pixel is: f32 [3]."""
        height, width = self.wall.photographs[pixel.view].size
        left, top, across, down = self.rects[pixel.view]
        rows, columns = self.maps.shape[1:3]
        column = min(columns - 1, int(left + (pixel.x + 0.5) / width * across))
        row = min(rows - 1, int(top + (pixel.y + 0.5) / height * down))
        return self.placement.points(self.maps[pixel.view, row, column])

    def pixel_of(self, point: int) -> Pixel:
        """The pixel of a photograph that a drawn point belongs to."""
        view = int(self.points.views[point])
        height, width = self.wall.photographs[view].size
        u, v = self.points.shares[point]
        return Pixel(view, pixel_at(u, width), pixel_at(v, height))


def _small(photograph: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(photograph)
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    return np.asarray(picture)


def _spacing(maps: np.ndarray, shown: np.ndarray) -> float:
    """The median distance between the points of neighbouring pixels, in the server's frame."""
    beside = shown[:, :, 1:] & shown[:, :, :-1]
    steps = np.linalg.norm((maps[:, :, 1:] - maps[:, :, :-1])[beside], axis=1)
    return float(np.median(steps)) if steps.size else 0.0
