from time import process_time

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mvsam.pipeline.resizing import encoder_image

SIZES = [
    (1, 1),
    (1, 9),
    (7, 300),
    (256, 256),
    (255, 257),
    (33, 32),
    (301, 403),
    (480, 640),
    (1023, 517),
    (1080, 1920),
    (2049, 1365),
]


def sam2(photograph: np.ndarray, side: int) -> np.ndarray:
    """What SAM2's own preprocessing computes."""
    image = torch.from_numpy(photograph).permute(2, 0, 1).contiguous().float() / 255
    size = (side, side)
    square = F.interpolate(image[None], size, mode="bilinear", align_corners=False, antialias=True)[0]
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((square - mean[:, None, None]) / std[:, None, None]).numpy()


def assert_same(ours: np.ndarray, theirs: np.ndarray) -> None:
    if torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512"):
        np.testing.assert_array_equal(ours, theirs)
    else:  # PyTorch's kernel rounds otherwise there
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("side", [256, 1024])
def test_equals_sam2s_resize_in_every_bit(rng, size, side):
    photograph = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    assert_same(encoder_image(photograph, side), sam2(photograph, side))


def test_a_twelve_megapixel_photograph_is_exact_and_quick(rng):
    photograph = rng.integers(0, 256, (3000, 4000, 3), dtype=np.uint8)
    started = process_time()
    ours = encoder_image(photograph, 1024)
    assert process_time() - started < 3  # about 0.3 s on an idle core
    assert_same(ours, sam2(photograph, 1024))
