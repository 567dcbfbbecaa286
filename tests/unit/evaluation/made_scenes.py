"""Scenes of which every pixel is known: flat tiles on a floor, seen straight from above by cameras side by side."""

import numpy as np

from mvsam.synthetic.scene import BACKGROUND, Scene

SIDE, HEIGHT, PIXEL = 64, 2.0, 0.02  # pixels, metres above the floor, metres a pixel shows of the floor


def tiled(tiles: list[tuple[slice, slice, float]], shifts: tuple[int, ...] = (0, 5, 10, 15)) -> Scene:
    """Tiles (rows, columns in pixels of the first view, height in metres) on a floor.

    Args:
        tiles: later ones cover earlier ones.
        shifts: of each camera to the right, in pixels of the floor.
    """
    focal = HEIGHT / PIXEL
    v, u = np.mgrid[:SIDE, :SIDE] + 0.5
    rays = np.stack([(u - SIDE / 2) / focal, (v - SIDE / 2) / focal, np.ones_like(u)], axis=-1)
    depth = np.full((len(shifts), SIDE, SIDE), HEIGHT)
    objects = np.full(depth.shape, BACKGROUND, np.int32)
    for index, (rows, columns, height) in enumerate(tiles):
        for view, shift in enumerate(shifts):
            x, y = ((HEIGHT - height) * rays[..., :2] / PIXEL + SIDE / 2).transpose(2, 0, 1)
            inside = (rows.start <= y) & (y < rows.stop) & (columns.start <= x + shift) & (x + shift < columns.stop)
            depth[view][inside], objects[view][inside] = HEIGHT - height, index
    poses = np.tile(np.eye(4), (len(shifts), 1, 1))
    poses[:, :3, :3] = np.diag([1.0, -1.0, -1.0])  # looking down: z is up in the world
    poses[:, :3, 3] = [(shift * PIXEL, 0.0, HEIGHT) for shift in shifts]
    camera = rays * depth[..., None]
    points = camera @ np.diag([1.0, -1.0, -1.0]) + poses[:, None, None, :3, 3]
    lens = np.array([[focal, 0, SIDE / 2], [0, focal, SIDE / 2], [0, 0, 1]])
    return Scene(
        images=np.zeros((*depth.shape, 3), np.uint8),
        points=points.astype(np.float32),
        valid=np.ones(depth.shape, bool),
        depth=depth.astype(np.float32),
        objects=objects,
        camera_poses=poses.astype(np.float32),
        intrinsics=np.tile(lens, (len(shifts), 1, 1)).astype(np.float32),
        families=("tile",) * len(tiles),
    )
