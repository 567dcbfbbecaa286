"""A ball before a wall, photographed from an arc: points and masks are exact, and the server's frame is askew."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from pycocotools import mask as coco_mask

from mvsam_client import Click
from mvsam_client.images import Photograph, encode_image
from mvsam_client.result import ViewMasks

MAP = (42, 56)
PHOTOGRAPH = (210, 280)
FOCAL = 50.0  # in pixels of the map
BALL, RADIUS, WALL = np.array([0.0, 3.0, 0.0]), 0.6, 4.0
VIEWS = 6


def turn(seed: int = 3) -> np.ndarray:
    """Some rotation: [3, 3]."""
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return rotation * np.sign(np.linalg.det(rotation))


SKEW, SHIFT, UNIT = turn(), np.array([5.0, -2.0, 1.0]), 7.0


def poses(views: int = VIEWS) -> np.ndarray:
    """Cameras to world, z up: [N, 4, 4]; they stand on an arc and look at the ball."""
    found = []
    for x in np.linspace(-1.2, 1.2, views):
        position = np.array([x, 0.0, 0.1])
        ahead = (BALL - position) / np.linalg.norm(BALL - position)
        right = np.cross(ahead, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        pose = np.eye(4)
        pose[:3] = np.stack([right, np.cross(ahead, right), ahead, position], axis=1)
        found.append(pose)
    return np.stack(found)


def seen(pose: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """What each pixel of a picture shows: points [h, w, 3], and bool [h, w], whether they are on the ball."""
    height, width = size
    focal = FOCAL * width / MAP[1]
    columns, rows = np.meshgrid(np.arange(width) + 0.5 - width / 2, np.arange(height) + 0.5 - height / 2)
    rays = np.stack([columns / focal, rows / focal, np.ones(size)], axis=-1) @ pose[:3, :3].T
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    offset = pose[:3, 3] - BALL
    along = rays @ offset
    inside = along**2 - offset @ offset + RADIUS**2
    on_ball = inside > 0
    distance = np.where(on_ball, -along - np.sqrt(np.maximum(inside, 0)), (WALL - pose[1, 3]) / rays[..., 1])
    return pose[:3, 3] + distance[..., None] * rays, on_ball


def askew(points: np.ndarray) -> np.ndarray:
    """World to the server's frame."""
    return (UNIT * (points @ SKEW.T) + SHIFT).astype(np.float32)


def server_poses() -> np.ndarray:
    found = poses().astype(np.float32)
    found[:, :3, 3] = askew(found[:, :3, 3])
    found[:, :3, :3] = SKEW @ found[:, :3, :3]
    return found


def masks(size: tuple[int, int] = PHOTOGRAPH) -> list[np.ndarray]:
    """The ball in each photograph."""
    return [seen(pose, size)[1] for pose in poses()]


def photographs(size: tuple[int, int] = PHOTOGRAPH) -> list[Photograph]:
    """A red ball before a grey wall; the first one's name is no harmless one."""
    found = []
    for view, mask in enumerate(masks(size)):
        pixels = np.where(mask[..., None], [200, 40, 40], [150, 150, 150]).astype(np.uint8)
        found.append(Photograph(f"{view}.jpg" if view else "<b>0.jpg", encode_image(pixels)))
    return found


def extra() -> dict[str, np.ndarray]:
    """What the server says of the scene; the ball is surer than the wall."""
    maps = [seen(pose, MAP) for pose in poses()]
    rng = np.random.default_rng(0)
    return {
        "points": np.stack([askew(points) for points, _ in maps]),
        "confidence": np.stack([0.4 * ball + rng.uniform(0.1, 0.5, MAP) for _, ball in maps]).astype(np.float32),
        "camera_poses": server_poses(),
        "GEOMETRY_RECTS": np.array([[0, 0, MAP[1], MAP[0]]] * VIEWS, np.float32),
    }


@dataclass
class ToyScene:
    """Answers as a kept scene does: the ball for clicks on it, else nothing; prompted views first."""

    received: list[list[Click]] = field(default_factory=list)
    fed_back: list[str] = field(default_factory=list)
    sizes: np.ndarray = field(default_factory=lambda: np.array([PHOTOGRAPH] * VIEWS, np.int32))

    def stream(self, *, points: Sequence[Click], previous: str, **_: object) -> Iterator[ViewMasks]:
        self.received.append(list(points))
        self.fed_back.append(previous)
        truth = masks()
        hits = {click.object: False for click in points}
        for click in points:
            hits[click.object] |= click.positive and bool(truth[click.view][int(click.y), int(click.x)])
        prompted = {click.view for click in points}
        for view in sorted(range(VIEWS), key=lambda view: view not in prompted):
            found = [truth[view] & hits[each] for each in sorted(hits)]
            areas = np.array([mask.sum() for mask in found])
            yield ViewMasks(view, found, [rle(mask) for mask in found], np.where(areas, 0.9, 0), areas, "answer")


def rle(mask: np.ndarray) -> dict:
    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(mask.shape), "counts": encoded["counts"].decode()}  # pyright: ignore
