"""Some frames of a video, read in one pass: each seek would decode all frames since the last key frame again."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mvsam.evaluation.benchmarks.scenes import DatasetError
from mvsam.pipeline.limits import Limits

# The only containers that are opened: FFmpeg would also follow a playlist to other files.
_MATROSKA = b"\x1a\x45\xdf\xa3"
_MP4 = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")


@dataclass(frozen=True)
class Film:
    """A video that can be opened.

    Attributes:
        path: of an MP4 or Matroska file.
        size: (height, width) of its frames, upright.
        rate: frames a second.
        source: where it comes from, for errors.
    """

    path: Path
    size: tuple[int, int]
    rate: float
    source: str

    @classmethod
    def open(cls, path: Path, source: str) -> "Film":
        """Looks at what a video says of itself, without decoding it.

        Raises:
            DatasetError: it is missing, damaged or too large.
        """
        if not path.is_file():
            raise DatasetError(f"{path} is missing; get it from {source}")
        with _capture(path, source) as capture:
            width, height = (int(capture.get(each)) for each in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
            rate = capture.get(cv2.CAP_PROP_FPS)
        if not 0 < height * width <= Limits.max_image_pixels or not 0 < rate < float("inf"):
            raise DatasetError(
                f"{path} has {width}x{height} pixels at {rate} frames a second; get it again from {source}"
            )
        return cls(path, (height, width), rate, source)

    def frames(self, timestamps: Sequence[float]) -> Iterator[np.ndarray]:
        """The frames nearest to some times.

        Args:
            timestamps: s from the start, rising.

        Yields:
            uint8 [h, w, 3] in BGR.

        Raises:
            DatasetError: the video ends before the last of them, or is damaged.
        """
        with _capture(self.path, self.source) as capture:
            reached = -float("inf")
            for timestamp in timestamps:
                while reached < 1000 * (timestamp - 0.5 / self.rate):
                    if not capture.grab():
                        raise DatasetError(
                            f"{self.path} breaks off before {timestamp:.3f} s; get it again from {self.source}"
                        )
                    reached = capture.get(cv2.CAP_PROP_POS_MSEC)
                decoded, frame = capture.retrieve()
                if not decoded or frame.shape != (*self.size, 3):
                    raise DatasetError(f"{self.path} is damaged at {timestamp:.3f} s; get it again from {self.source}")
                yield frame


@contextmanager
def _capture(path: Path, source: str) -> Iterator[cv2.VideoCapture]:
    with path.open("rb") as file:
        start = file.read(8)
    if not start.startswith(_MATROSKA) and start[4:] not in _MP4:
        raise DatasetError(f"{path} is neither an MP4 nor a Matroska video; get it again from {source}")
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise DatasetError(f"{path} is a truncated or damaged video; get it again from {source}")
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # off where a release of OpenCV has forgotten its own default
        yield capture
    except cv2.error as error:
        raise DatasetError(f"{path} cannot be decoded ({error.err}); get it again from {source}") from None
    finally:
        capture.release()
