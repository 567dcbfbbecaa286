"""The three-dimensional part of the page: cloud, cameras, and the wall of photographs."""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from mvsam_client.pictures import NEGATIVE, POSITIVE
from mvsam_client.prompts import Click
from mvsam_client.viewer.exhibit import Exhibit
from mvsam_client.viewer.overlay import drawn
from mvsam_client.viewer.picking import Panel, Pixel, Ray, pick, reach

if TYPE_CHECKING:
    import viser

Look = Literal["everything", "cloud", "photographs"]
FIELD_OF_VIEW = np.radians(50)
MARGIN = 1.06  # around what a look shows
# How far the viewer stands above the middle, as a share of the distance.
ABOVE: dict[Look, float] = {"everything": 0.12, "cloud": 0.3, "photographs": 0.0}
FRUSTUM_SIDE = 240  # pixels of the photographs at the cameras
RECOLOUR_EVERY = 0.4  # seconds at least between two colourings of the cloud while answers come in
QUALITY = 85  # JPEG
BOARD = 245  # grey
POINT_SIZE = 1.4  # in distances between points
CLICK_SIZE = 0.04
LINE = 0.02  # thickness of a camera's lines, as a share of its length


class Stage:
    """What is drawn of an exhibit. Safe to call from any thread.

    Args:
        server: of the page.
        exhibit: the scene.
        share: of the least sure points, which are hidden.
    """

    def __init__(self, server: "viser.ViserServer", exhibit: Exhibit, share: float) -> None:
        self._server, self._exhibit = server, exhibit
        self._lock = threading.RLock()
        self._looks: dict[int, tuple[Look, float]] = {}
        self._colours = exhibit.colours
        self._coloured_at = 0.0
        self._has_cameras = True
        self._point_size = POINT_SIZE * exhibit.spacing
        server.initial_camera.fov = float(FIELD_OF_VIEW)
        position, target = self._standpoint("everything", 16 / 9)
        server.initial_camera.position, server.initial_camera.look_at = position, target
        self._add_board()
        self._photographs = [self._hang(view) for view in range(len(exhibit.names))]
        self._frusta = [self._place(view) for view in range(len(exhibit.cameras))]
        self.hide(share)

    def hide(self, share: float) -> None:
        """Shows the points but for this share of the least sure ones."""
        exhibit, points = self._exhibit, self._exhibit.points
        with self._lock:
            certainty = exhibit.certainty[points.views, points.rows, points.columns]
            self._shown = np.flatnonzero(exhibit.is_surer(certainty, share))
            self._cloud = self._server.scene.add_point_cloud(
                "/cloud",
                exhibit.positions[self._shown],
                self._colours[self._shown],
                point_size=self._point_size,
                point_shape="rounded",
                point_shading="flat",
                precision="float32",
            )

    def resize(self, factor: float) -> None:
        """Draws points so much larger than they are apart."""
        with self._lock:
            self._point_size = factor * self._exhibit.spacing
            self._cloud.point_size = self._point_size

    def show_cameras(self, is_shown: bool) -> None:
        """Shows or hides the cameras; hidden ones cannot be clicked on."""
        with self._lock:
            self._has_cameras = is_shown
            for frustum in self._frusta:
                frustum.visible = is_shown

    def mark(self, clicks: Sequence[Click]) -> None:
        """Shows the clicks on the cloud."""
        places = [self._exhibit.position_of(Pixel(click.view, click.x, click.y)) for click in clicks]
        with self._lock:
            if not places:
                self._server.scene.remove_by_name("/clicks")
                return
            self._server.scene.add_point_cloud(
                "/clicks",
                np.stack(places),
                np.array([POSITIVE if click.positive else NEGATIVE for click in clicks], np.uint8),
                point_size=CLICK_SIZE,
                point_shape="circle",
                precision="float32",
            )

    def paint(self, view: int, masks: Mapping[int, np.ndarray], clicks: Sequence[Click]) -> None:
        """Shows masks and clicks on one photograph, on the wall and at its camera."""
        exhibit = self._exhibit
        size = exhibit.wall.photographs[view].size
        picture = drawn(exhibit.pictures[view], size, masks, [click for click in clicks if click.view == view])
        with self._lock:
            self._photographs[view].image = picture
            self._frusta[view].image = _reduced(picture)

    def colour(self, masks: Sequence[Mapping[int, np.ndarray]], *, at_once: bool) -> None:
        """Shows the masks of all views on the cloud; if not at once, then perhaps with a later call."""
        if not at_once and time.monotonic() - self._coloured_at < RECOLOUR_EVERY:
            return
        colours = self._exhibit.points.tinted(self._exhibit.colours, masks)
        with self._lock:
            self._colours = colours
            self._cloud.colors = colours[self._shown]
            self._coloured_at = time.monotonic()

    def pixel_at(self, ray: Ray, camera: "viser.CameraHandle") -> Pixel | None:
        """The pixel of a photograph that a click on the page means; None where there is nothing."""
        exhibit = self._exhibit
        with self._lock:
            shown, has_cameras = self._shown, self._has_cameras
        photographs = [*exhibit.wall.photographs, *(each.panel for each in exhibit.cameras if has_cameras)]
        spread = reach(camera.fov, camera.image_height)
        found = pick(ray, photographs, [exhibit.wall.board], exhibit.positions[shown], spread)
        return exhibit.pixel_of(int(shown[found])) if isinstance(found, int) else found

    def welcome(self, client: "viser.ClientHandle") -> None:
        """Shows a browser everything, and all of it until its camera is moved, whatever becomes of its window."""
        client.camera.on_update(lambda camera: self._keep_whole(client, camera))
        self.look(client, "everything")

    def look(self, client: "viser.ClientHandle", look: Look) -> None:
        """Moves one browser's camera so that it shows the whole of something."""
        aspect = client.camera.aspect
        position, target = self._standpoint(look, aspect)
        self._looks[client.client_id] = (look, aspect)
        with client.atomic():
            client.camera.fov = float(FIELD_OF_VIEW)
            client.camera.up_direction = (0.0, 0.0, 1.0)
            client.camera.position = position
            client.camera.look_at = target

    def _keep_whole(self, client: "viser.ClientHandle", camera: "viser.CameraHandle") -> None:
        if client.client_id not in self._looks:
            return
        look, aspect = self._looks[client.client_id]
        is_unmoved = np.allclose(camera.position, self._standpoint(look, aspect)[0], atol=1e-3)
        if is_unmoved and abs(camera.aspect - aspect) > 1e-3:
            self.look(client, look)

    def _standpoint(self, look: Look, aspect: float) -> tuple[np.ndarray, np.ndarray]:
        """Where to stand and what to look at."""
        exhibit = self._exhibit
        hung = [exhibit.wall.board.corner, exhibit.wall.board.far_corner]
        placed = [*exhibit.bulk, *(camera.position for camera in exhibit.cameras)]
        shown = np.stack({"photographs": hung, "cloud": placed, "everything": hung + placed}[look])
        low, high = shown.min(axis=0), shown.max(axis=0)
        middle, half = (low + high) / 2, (high - low) / 2
        slope = np.tan(FIELD_OF_VIEW / 2)
        distance = half[1] + MARGIN * max(half[2] / slope, half[0] / (slope * aspect))
        return middle + distance * np.array([0.0, -1.0, ABOVE[look]]), middle

    def _add_board(self) -> None:
        self._add_panel("/wall/board", self._exhibit.wall.board, np.full((2, 2, 3), BOARD, np.uint8))

    def _hang(self, view: int) -> "viser.ImageHandle":
        panel = self._exhibit.wall.photographs[view]
        self._server.scene.add_label(
            f"/wall/names/{view}",
            f"{view}  {self._exhibit.names[view]}",
            position=panel.corner + panel.down,
            font_size_mode="scene",
            font_scene_height=0.05 * float(np.linalg.norm(panel.down)),
            depth_test=True,
            anchor="top-left",
        )
        return self._add_panel(f"/wall/photographs/{view}", panel, self._exhibit.pictures[view])

    def _add_panel(self, name: str, panel: Panel, picture: np.ndarray) -> "viser.ImageHandle":
        axes = np.stack([panel.right, panel.down, np.cross(panel.right, panel.down)], axis=1)
        return self._server.scene.add_image(
            name,
            picture,
            float(np.linalg.norm(panel.right)),
            float(np.linalg.norm(panel.down)),
            format="jpeg",
            jpeg_quality=QUALITY,
            wxyz=_quaternion(axes / np.linalg.norm(axes, axis=0)),
            position=(panel.corner + panel.far_corner) / 2,
        )

    def _place(self, view: int) -> "viser.CameraFrustumHandle":
        camera = self._exhibit.cameras[view]
        across, up = camera.slopes
        return self._server.scene.add_camera_frustum(
            f"/cameras/{view}",
            2 * float(np.arctan(up)),
            across / up,
            scale=camera.scale,
            thickness=LINE * camera.distance,
            color=(90, 90, 90),
            image=_reduced(self._exhibit.pictures[view]),
            format="jpeg",
            jpeg_quality=QUALITY,
            wxyz=_quaternion(camera.rotation),
            position=camera.position,
        )


def _reduced(picture: np.ndarray) -> np.ndarray:
    step = max(1, max(picture.shape[:2]) // FRUSTUM_SIDE)
    return picture[::step, ::step]


def _quaternion(rotation: np.ndarray) -> np.ndarray:
    """(w, x, y, z) of a rotation matrix."""
    from viser.transforms import SO3

    return SO3.from_matrix(rotation).wxyz
