"""The paper's figures: mIoU and mAcc in per cent, by its own tables.

What mAcc is differs. In Tables 1, 5 and 9 it is foreground recall; in Tables 2, 15 and 16 it is mean class accuracy for
SAM2-Video and MV-SAM and pixel accuracy for the methods that are optimised for each scene, so these two groups cannot
be compared. That follows from the numbers: recall may be any share not below IoU, as in Table 1; mean class accuracy
is about (1 + IoU) / 2 or more, as for the former group; and (1 - accuracy) / (1 - IoU) is the same number for all
methods of the latter in a scene: the share of the picture that the object takes.
"""

from typing import NamedTuple

MV_SAM, SAM2_VIDEO, PROJECTION = "MV-SAM", "SAM2-Video", "Prompt Projection"


class Pair(NamedTuple):
    """mIoU and mAcc, per cent."""

    iou: float
    accuracy: float


# Table 1: data set, order of the photographs, method.
TABLE_1 = {
    ("ScanNet++", "video", SAM2_VIDEO): Pair(46.1, 61.4),
    ("ScanNet++", "video", MV_SAM): Pair(48.9, 63.5),
    ("ScanNet++", "shuffled", SAM2_VIDEO): Pair(47.5, 62.8),
    ("ScanNet++", "shuffled", MV_SAM): Pair(49.1, 62.9),
    ("uCo3D", "video", SAM2_VIDEO): Pair(81.9, 91.3),
    ("uCo3D", "video", MV_SAM): Pair(87.7, 95.0),
    ("uCo3D", "shuffled", SAM2_VIDEO): Pair(83.2, 91.9),
    ("uCo3D", "shuffled", MV_SAM): Pair(87.4, 95.1),
    ("DL3DV", "video", SAM2_VIDEO): Pair(67.3, 82.9),
    ("DL3DV", "video", MV_SAM): Pair(75.1, 91.8),
    ("DL3DV", "shuffled", SAM2_VIDEO): Pair(64.2, 78.6),
    ("DL3DV", "shuffled", MV_SAM): Pair(75.0, 92.0),
}

# Table 2: method, data set. The first five are optimised for each scene.
PER_SCENE = ("SPIn-NeRF", "SA3D", "SAGA", "SA3D-GS", "OmniSeg3D")
TABLE_2 = {
    ("SPIn-NeRF", "SPIn-NeRF"): Pair(90.7, 98.8),
    ("SA3D", "NVOS"): Pair(91.1, 98.4),
    ("SA3D", "SPIn-NeRF"): Pair(92.4, 98.8),
    ("SAGA", "NVOS"): Pair(92.6, 98.6),
    ("SAGA", "SPIn-NeRF"): Pair(93.7, 99.2),
    ("SA3D-GS", "NVOS"): Pair(92.7, 98.5),
    ("SA3D-GS", "SPIn-NeRF"): Pair(93.4, 99.1),
    ("OmniSeg3D", "NVOS"): Pair(92.8, 98.6),
    ("OmniSeg3D", "SPIn-NeRF"): Pair(94.5, 99.3),
    (SAM2_VIDEO, "NVOS"): Pair(88.7, 94.6),
    (SAM2_VIDEO, "SPIn-NeRF"): Pair(86.6, 93.6),
    (MV_SAM, "NVOS"): Pair(92.1, 97.5),
    (MV_SAM, "SPIn-NeRF"): Pair(92.9, 97.1),
}

# Table 5: MV-SAM on DL3DV by the geometry network.
TABLE_5 = {"VGGT": Pair(61.1, 90.4), "WorldMirror": Pair(74.3, 92.6), "π³": Pair(75.1, 91.8)}

# Table 9: method, data set.
TABLE_9 = {
    (PROJECTION, "ScanNet++"): Pair(29.2, 59.2),
    (PROJECTION, "uCo3D"): Pair(78.2, 83.3),
    (PROJECTION, "DL3DV"): Pair(41.2, 70.2),
    (SAM2_VIDEO, "ScanNet++"): Pair(46.1, 61.4),
    (SAM2_VIDEO, "uCo3D"): Pair(81.9, 91.3),
    (SAM2_VIDEO, "DL3DV"): Pair(67.3, 82.9),
    ("SAM2-Long", "ScanNet++"): Pair(41.5, 61.4),
    ("SAM2-Long", "uCo3D"): Pair(72.9, 86.4),
    ("SAM2-Long", "DL3DV"): Pair(60.5, 78.5),
    ("SAM3", "ScanNet++"): Pair(48.6, 63.4),
    ("SAM3", "uCo3D"): Pair(82.4, 91.4),
    ("SAM3", "DL3DV"): Pair(68.1, 82.6),
    (MV_SAM, "ScanNet++"): Pair(48.9, 63.5),
    (MV_SAM, "uCo3D"): Pair(87.7, 95.0),
    (MV_SAM, "DL3DV"): Pair(75.1, 91.8),
}

NVOS_SCENES = ("fern", "flower", "fortress", "horns_center", "horns_left", "leaves", "trex")
# Table 15: by method, in the order of the scenes.
TABLE_15 = {
    "SA3D": (
        (82.90, 94.60, 98.30, 96.20, 90.20, 93.20, 81.99),
        (94.39, 98.74, 99.68, 99.33, 99.36, 99.57, 97.41),
    ),
    "SA3D-GS": (
        (85.50, 96.79, 98.07, 98.18, 94.33, 93.67, 82.13),
        (95.30, 99.21, 99.64, 99.52, 99.55, 99.60, 97.47),
    ),
    "SAGA": (
        (83.53, 96.62, 98.16, 98.06, 93.59, 93.51, 80.81),
        (94.60, 99.17, 99.65, 99.50, 99.51, 99.59, 97.26),
    ),
    "OmniSeg3D": (
        (82.70, 95.30, 98.50, 97.70, 95.60, 92.70, 87.40),
        (94.30, 98.90, 99.70, 99.60, 99.70, 99.50, 98.30),
    ),
    SAM2_VIDEO: (
        (82.83, 95.20, 97.03, 95.71, 94.66, 93.37, 62.24),
        (93.94, 97.75, 98.52, 97.93, 95.80, 96.84, 81.66),
    ),
    MV_SAM: (
        (82.90, 95.50, 97.50, 97.60, 94.50, 94.30, 82.50),
        (94.90, 98.30, 98.70, 97.50, 98.40, 98.50, 95.90),
    ),
}

SPIN_NERF_SCENES = ("room", "orchids", "horns", "fern", "fortress", "leaves", "fork", "truck", "lego")
# Table 16: by method, in the order of the scenes.
TABLE_16 = {
    "SPIn-NeRF": (
        (95.6, 92.7, 92.8, 94.3, 97.7, 94.9, 87.9, 85.2, 74.9),
        (99.4, 98.8, 98.7, 99.2, 99.7, 99.7, 99.5, 95.1, 99.2),
    ),
    "SA3D": (
        (88.22, 83.55, 94.49, 97.05, 98.33, 97.18, 89.41, 90.82, 92.15),
        (98.33, 96.86, 99.02, 99.59, 99.75, 99.85, 99.55, 96.66, 99.75),
    ),
    "SA3D-GS": (
        (93.73, 84.68, 95.26, 96.67, 98.06, 97.20, 87.91, 94.80, 91.89),
        (99.18, 97.18, 99.17, 99.54, 99.71, 99.85, 99.46, 98.20, 99.75),
    ),
    "SAGA": (
        (96.91, 90.55, 92.96, 96.49, 96.16, 95.52, 85.84, 95.71, 93.17),
        (99.59, 98.29, 98.71, 99.51, 99.41, 99.75, 99.42, 98.53, 99.79),
    ),
    "OmniSeg3D": (
        (97.9, 92.3, 91.5, 97.5, 97.9, 96.0, 90.4, 96.1, 90.8),
        (99.7, 98.7, 98.5, 99.7, 99.7, 99.8, 99.6, 98.7, 99.7),
    ),
    SAM2_VIDEO: (
        (91.90, 86.90, 84.44, 97.33, 69.49, 96.76, 83.88, 83.49, 85.25),
        (96.00, 94.32, 92.39, 98.88, 84.76, 98.53, 92.67, 91.86, 93.01),
    ),
    MV_SAM: (
        (91.50, 83.50, 89.60, 97.40, 98.10, 95.80, 90.00, 96.40, 89.90),
        (95.90, 95.70, 95.20, 99.00, 99.10, 98.10, 96.00, 98.60, 96.90),
    ),
}
