"""What has been pointed at for one object."""

from dataclasses import dataclass
from typing import TypeVar

from mvsam_client.prompts import Box, Click, MaskPrompt

Placed = TypeVar("Placed", Click, Box, MaskPrompt)


@dataclass(frozen=True, eq=False)
class ObjectPrompts:
    """What has been pointed at for one object; `object` of each prompt is the object's id.

    Attributes:
        clicks: in the order in which they were made.
        boxes: at most one a view.
        masks: at most one a view, bool [h, w] each.
    """

    clicks: tuple[Click, ...] = ()
    boxes: tuple[Box, ...] = ()
    masks: tuple[MaskPrompt, ...] = ()

    @property
    def all(self) -> tuple[Click | Box | MaskPrompt, ...]:
        """Every one."""
        return (*self.clicks, *self.boxes, *self.masks)

    @property
    def is_empty(self) -> bool:
        """Whether there is none."""
        return not self.all

    @property
    def has_positive(self) -> bool:
        """Whether anything says what the object is, rather than what it is not."""
        return bool(self.boxes or self.masks) or any(click.positive for click in self.clicks)

    def outside(self, view: int) -> "ObjectPrompts":
        """Those in other views."""
        return ObjectPrompts(elsewhere(self.clicks, view), elsewhere(self.boxes, view), elsewhere(self.masks, view))

    def begins_with(self, former: "ObjectPrompts") -> bool:
        """Whether these are former ones, perhaps with others behind."""
        return all(
            mine[: len(theirs)] == theirs
            for mine, theirs in ((self.clicks, former.clicks), (self.boxes, former.boxes), (self.masks, former.masks))
        )


def elsewhere(prompts: tuple[Placed, ...], view: int) -> tuple[Placed, ...]:
    """Those in other views."""
    return tuple(prompt for prompt in prompts if prompt.view != view)
