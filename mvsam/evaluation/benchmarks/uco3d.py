"""uCo3D (Liu et al., 2025): turntable videos of one object each, with a mask video beside each video::

    <root>/metadata.sqlite                      frames and sequences
    <root>/set_lists/set_lists_<name>.sqlite    which sequences there are to choose from
    <root>/<super category>/<category>/<sequence>/{rgb_video.mp4, mask_video.mkv}

What the paper leaves open is settled so: sequences are drawn from all of a set list, whichever subset they are in, as
nothing is trained on them here; frames lie at equal distances among a sequence's annotated ones. A pixel belongs to the
object where the mask video says more than one half. Photographs and masks are used as they were taken, with the lens's
distortion. The data's depth and cameras are not read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import cv2
import numpy as np

from mvsam.evaluation.benchmarks.film import Film
from mvsam.evaluation.benchmarks.folders import naming
from mvsam.evaluation.benchmarks.frames import evenly
from mvsam.evaluation.benchmarks.prompting import SEED, clicks_over_views, dice
from mvsam.evaluation.benchmarks.scenes import DatasetError, Photograph, Scene, Target
from mvsam.evaluation.benchmarks.uco3d_metadata import SOURCE, read_recording, read_sequences

PROBABILITY = 0.5  # above which a pixel is the object's
POSITIVES, NEGATIVES = 10, 2  # clicks on the object
_RED = 2  # the first channel of RGB, as OpenCV orders it
_FAST = (cv2.IMWRITE_PNG_COMPRESSION, 1)


@dataclass(frozen=True)
class UCo3D:
    """The data set: 10 clicks on and 2 beside each object, over all views; every view is scored.

    Attributes:
        root: of the download.
        set_list: whose sequences, such as "all-categories".
        sequences: at most.
        frames: how many of a sequence are views, at most.
        seed: of the sequences and clicks.
    """

    root: Path
    set_list: str
    sequences: int = 50
    frames: int = 50
    seed: int = SEED

    name = "uCo3D"

    def scenes(self) -> Sequence[str]:
        """See `Dataset`; by name."""
        names = read_sequences(self.root, self.set_list)
        order = dice(self.name, self.set_list, seed=self.seed).permutation(len(names))
        return [names[index] for index in sorted(order[: self.sequences])]

    def load(self, scene: str) -> Scene:
        """See `Dataset`; the mask video is read at once, the other when the first photograph is asked for."""
        recording = read_recording(self.root, scene)
        frames = evenly(recording.frames, self.frames)
        times = tuple(frame.timestamp for frame in frames)
        video, mask_video = (Film.open(path, SOURCE) for path in (recording.video, recording.mask_video))
        for film in (video, mask_video):
            for frame in frames:
                if film.size != frame.size:
                    (height, width), (rows, columns) = film.size, frame.size
                    raise DatasetError(
                        f"{film.path} is {width}x{height}, its frame {frame.number} should be {columns}x{rows}; "
                        f"get it again from {SOURCE}"
                    )
        masks = {view: mask[..., _RED] > 255 * PROBABILITY for view, mask in enumerate(mask_video.frames(times))}
        with naming(mask_video.path):
            rng = dice(self.name, scene, seed=self.seed)
            clicks = clicks_over_views(masks, dict.fromkeys(masks, video.size), POSITIVES, NEGATIVES, rng)
        truth = {view: partial(np.asarray, mask) for view, mask in masks.items()}
        pictures = _Pictures(video, times)
        photographs = (
            Photograph(f"{frame.number:06d}.png", partial(pictures.read, view)) for view, frame in enumerate(frames)
        )
        return Scene(scene, tuple(photographs), (Target("object", clicks, truth, tuple(truth)),))


@dataclass(frozen=True)
class _Pictures:
    """Frames of a video as files, all read at the first need and kept."""

    film: Film
    timestamps: tuple[float, ...]

    def read(self, view: int) -> bytes:
        """PNG, which loses nothing."""
        return self._files[view]

    @cached_property
    def _files(self) -> list[bytes]:
        return [cv2.imencode(".png", frame, _FAST)[1].tobytes() for frame in self.film.frames(self.timestamps)]
