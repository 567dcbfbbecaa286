"""The panel of the page: what clicks mean, what is shown, files to take away, and what was found, in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from mvsam_client.cloud import DROPPED_SHARE
from mvsam_client.errors import MvsamError
from mvsam_client.viewer import status
from mvsam_client.viewer.stage import POINT_SIZE, Look, Stage

if TYPE_CHECKING:
    import viser

MOST_HIDDEN = 0.95
POINT_SIZES = (0.5, 4.0)  # in distances between points


@dataclass(frozen=True)
class Download:
    """A file that the page offers.

    Attributes:
        label: of its button.
        name: of the file.
        content: makes it, with the share of the least sure points that is hidden.
    """

    label: str
    name: str
    content: Callable[[float], bytes]


class Controls:
    """The panel.

    Args:
        server: of the page.
        stage: what is shown beside it.
        actions: what its buttons do to clicks, by their labels.
        downloads: what its export buttons give.
    """

    def __init__(
        self,
        server: "viser.ViserServer",
        stage: Stage,
        actions: Mapping[str, Callable[[], None]],
        downloads: Sequence[Download],
    ) -> None:
        gui = server.gui
        gui.configure_theme(show_logo=False, show_share_button=False, control_width="large")
        gui.main_panel.dock_right()
        gui.add_html(status.hint())
        self._line = gui.add_html("")
        with gui.add_folder("Clicks"):
            objects: tuple[str, ...] = (_name(1),)
            self._object = gui.add_dropdown("Are on", objects)
            gui.add_button("New object").on_click(lambda _: self._begin_object())
            self._negative = gui.add_checkbox("Not the object", False, hint="as shift-click does")
            changes = gui.add_button_group("Change", tuple(actions))
            changes.on_click(lambda event: actions[event.target.value]())
        with gui.add_folder("Show"):
            looks = {look.capitalize(): look for look in get_args(Look)}
            whole = gui.add_button_group("The whole of", tuple(looks))
            whole.on_click(lambda event: _look(stage, event, looks[event.target.value]))
            hidden = gui.add_slider("Hide unsure %", 0, round(100 * MOST_HIDDEN), 1, round(100 * DROPPED_SHARE))
            hidden.on_update(lambda event: stage.hide(event.target.value / 100))
            size = gui.add_slider("Point size", *POINT_SIZES, 0.1, POINT_SIZE)
            size.on_update(lambda event: stage.resize(event.target.value))
            cameras = gui.add_checkbox("Cameras", True)
            cameras.on_update(lambda event: stage.show_cameras(event.target.value))
        with gui.add_folder("Export"):
            by_label = {download.label: download for download in downloads}
            files = gui.add_button_group("As", tuple(by_label))
            files.on_click(lambda event: self._send(event, by_label[event.target.value], hidden.value / 100))
        self._table = gui.add_html(status.table([], []))

    @property
    def object_id(self) -> int:
        """The object that clicks are on, counted from 1."""
        return 1 + self._object.options.index(self._object.value)

    @property
    def objects(self) -> int:
        """How many objects there are to choose among."""
        return len(self._object.options)

    @property
    def is_negative(self) -> bool:
        """Whether plain clicks mark what is not the object."""
        return self._negative.value

    def report(self, html: str) -> None:
        """Shows a table from `status.table`."""
        self._table.content = html

    def say(self, text: str) -> None:
        """Shows a line."""
        self._line.content = status.line(text)

    def complain(self, reason: str) -> None:
        """Shows that something failed."""
        self._line.content = status.line(reason, is_error=True)

    def offer_objects(self, count: int) -> None:
        """Lets the person choose among so many objects."""
        self._object.options = tuple(map(_name, range(1, count + 1)))

    def _begin_object(self) -> None:
        self.offer_objects(self.objects + 1)
        self._object.value = self._object.options[-1]

    def _send(self, event: "viser.GuiEvent", download: Download, share: float) -> None:
        if event.client is None:
            return
        try:
            content = download.content(share)
        except MvsamError as error:
            self.complain(str(error))
            return
        event.client.send_file_download(download.name, content, save_immediately=True)
        self.say(f"{download.name}: {len(content) / 1e6:.1f} MB")


def _name(object_id: int) -> str:
    return f"object {object_id}"


def _look(stage: Stage, event: "viser.GuiEvent", look: Look) -> None:
    if event.client is not None:
        stage.look(event.client, look)
