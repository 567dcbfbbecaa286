"""The page as a whole: clicks on it reach the session, and the session's news reach it."""

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from mvsam_client.annotator import Annotator
from mvsam_client.cloud import DROPPED_SHARE, PointCloud
from mvsam_client.errors import InvalidRequestError
from mvsam_client.result import Segmentation
from mvsam_client.scene import Scene
from mvsam_client.viewer import downloads, serving, status
from mvsam_client.viewer.controls import Controls, Download
from mvsam_client.viewer.exhibit import Exhibit
from mvsam_client.viewer.picking import Ray
from mvsam_client.viewer.session import Session
from mvsam_client.viewer.stage import Stage

if TYPE_CHECKING:
    import viser

DEFAULT_PORT = 8080


class Page:
    """A scene in the browser, until it is closed; a context manager.

    All who open it see the same clicks. It has no passwords: keep it on this machine unless the network is trusted.

    Attributes:
        server: of viser.
        session: the clicks and their masks.
        exhibit: what is shown.
    """

    def __init__(
        self, scene: Scene, exhibit: Exhibit, *, host: str = "127.0.0.1", port: int = DEFAULT_PORT, note: str = ""
    ) -> None:
        """Opens it.

        Args:
            scene: encoded, to be clicked on; stays open when the page is closed.
            exhibit: of the same scene.
            host: the address to listen on.
            port: where to listen; the next free one where it is taken.
            note: the first line that it says.

        Raises:
            MissingExtraError: viser is not installed.
        """
        self.server = serving.started(host, port)
        self.exhibit = exhibit
        self._stage = Stage(self.server, exhibit, DROPPED_SHARE)
        self.session = Session(Annotator(scene), len(exhibit.names), self)
        session = self.session
        actions = {"Undo": session.undo, "Redo": session.redo, "Clear": session.clear}
        self._controls = Controls(self.server, self._stage, actions, self._downloads())
        self._controls.say(note)
        self.server.scene.on_click()(self._click)
        self.server.scene.on_click(modifier="shift")(self._click)
        self.server.on_client_connect(self._stage.welcome)

    def __enter__(self) -> "Page":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self.server.get_host()}:{self.server.get_port()}"

    def close(self) -> None:
        """Ends it."""
        self.session.close()
        serving.stop(self.server)

    def prompted(self) -> None:
        """Of the session: see `session.Audience`, here and below."""
        clicks = self.session.annotator.clicks
        self._stage.mark(clicks)
        for view in {click.view for click in clicks}:
            self._stage.paint(view, self.session.masks[view], clicks)
        # What is undone and redone may be of objects that are not offered any more.
        self._controls.offer_objects(max([self._controls.objects, *self.session.annotator.object_ids]))
        self._controls.say("…")

    def found(self, view: int) -> None:
        self._stage.paint(view, self.session.masks[view], self.session.annotator.clicks)
        self._stage.colour(self.session.masks, at_once=False)
        self._controls.report(status.table(self.exhibit.names, self.session.areas))

    def answered(self, first: float, whole: float) -> None:
        self._stage.colour(self.session.masks, at_once=True)
        self._controls.say(status.seconds(first, whole, len(self.exhibit.names)))

    def emptied(self) -> None:
        for view in range(len(self.exhibit.names)):
            self._stage.paint(view, {}, ())
        self._stage.colour(self.session.masks, at_once=True)
        self._controls.report(status.table([], []))
        self._controls.offer_objects(1)
        self._controls.say("")

    def failed(self, reason: str) -> None:
        self._controls.complain(reason)

    def _click(self, event: "viser.SceneClickEvent") -> None:
        ray = Ray.of(event.ray_origin, event.ray_direction)
        if pixel := self._stage.pixel_at(ray, event.client.camera):
            positive = event.modifier is None and not self._controls.is_negative
            self.session.click(pixel, positive=positive, object_id=self._controls.object_id)

    def _downloads(self) -> list[Download]:
        names, exhibit = self.exhibit.names, self.exhibit

        def of_result(write: Callable[[Segmentation], bytes]) -> Callable[[float], bytes]:
            def content(share: float) -> bytes:
                if self.session.result is None:
                    raise InvalidRequestError("there are no masks to export: click on an object first")
                return write(self.session.result)

            return content

        def cloud(share: float) -> PointCloud:
            return downloads.point_cloud(exhibit, self.session.masks, share)

        return [
            Download("PNG", "masks.zip", of_result(lambda result: downloads.masks_zip(result, names))),
            Download("COCO", "annotations.json", of_result(lambda result: downloads.coco_json(result, names))),
            Download("PLY", "points.ply", lambda share: cloud(share).ply()),
            Download("GLB", "points.glb", lambda share: cloud(share).glb()),
        ]
