"""Decoder examples of two kinds: photographs, which come in a stream, and synthetic scenes, which come by number."""

from collections.abc import Iterable, Mapping, Sequence

from mvsam.training.photograph_source import PhotographSource
from mvsam.training.placing import PlacedSample
from mvsam.training.scene_source import SceneSource
from mvsam.training.stream import StreamState


class MixedSource:
    """Samples of both kinds in fixed proportion, spread evenly over the examples of a step.

    Photographs teach what real objects look like, scenes with exact points teach the use of good geometry.

    Args:
        photographs: read in order; its state is the run's.
        scenes: drawn by the example's number.
        share: of photographs.
    """

    def __init__(self, photographs: PhotographSource, scenes: SceneSource, share: float) -> None:
        self.photographs, self.scenes, self.share = photographs, scenes, share

    def sample(self, step: int, example: int) -> PlacedSample:
        """Example number `example` of a step."""
        is_photograph = int((example + 1) * self.share) > int(example * self.share)
        return (self.photographs if is_photograph else self.scenes).sample(step, example)

    def held_out(self) -> Mapping[str, Iterable[PlacedSample]]:
        """Held-out samples of both kinds."""
        return {**self.photographs.held_out(), **self.scenes.held_out()}

    def state(self) -> StreamState:
        """Of the photographs, after the sample given last."""
        return self.photographs.state()

    def resume(self, states: Sequence[StreamState]) -> None:
        """Goes on where the processes of a run stood; without any, at the beginning."""
        self.photographs.resume(states)
