"""Frames of a video, through OpenCV."""

import io
from pathlib import Path
from typing import Any

from PIL import Image

from mvsam_client.errors import InvalidRequestError, missing_extra
from mvsam_client.images import Photograph
from mvsam_client.sampling import even_places

SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")
_JPEG_QUALITY = 95  # a video has lost more than this already


def read(path: Path, frames: int) -> list[Photograph]:
    """Frames at even distances from the first to the last, upright, as JPEG files.

    Args:
        path: of the video.
        frames: how many at most.

    Raises:
        InvalidRequestError: it cannot be read.
        MissingExtraError: OpenCV is not installed.
    """
    announced = _count(path)
    wanted = even_places(announced, frames)
    found, seen = _frames(path, wanted)
    if wanted and seen <= wanted[-1]:  # the video ends before the end that it announces
        found, _ = _frames(path, even_places(seen, frames))
    if not found:
        raise InvalidRequestError(f"{path}: no frame of this video can be read; convert it to MP4 (H.264)")
    return found


def _count(path: Path) -> int:
    """Frames that the video announces; counted where it says nothing."""
    cv2, video = _opened(path)
    try:
        announced = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        if announced > 0:
            return announced
        count = 0
        while video.grab():
            count += 1
        return count
    finally:
        video.release()


def _frames(path: Path, places: list[int]) -> tuple[list[Photograph], int]:
    """The wanted frames, and how many frames there were up to the last wanted one. Seeking is not exact, reading is."""
    cv2, video = _opened(path)
    found: list[Photograph] = []
    wanted, place = set(places), 0
    try:
        while wanted and place <= places[-1] and video.grab():
            if place in wanted:
                is_whole, pixels = video.retrieve()
                if is_whole:
                    name = f"{path.stem}_{place:06d}.jpg"
                    found.append(Photograph(name, _jpeg(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))))
            place += 1
    finally:
        video.release()
    return found, place


def _opened(path: Path) -> tuple[Any, Any]:
    try:
        import cv2
    except ImportError:
        raise missing_extra(f"{path}: videos are read by OpenCV", "video") from None
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise InvalidRequestError(f"{path}: no video that OpenCV can read; convert it to MP4 (H.264)")
    video.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # off where a release of OpenCV has forgotten its own default
    return cv2, video


def _jpeg(pixels: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()
