"""Every kind of bad request that the tests send: what differs from a good one, and what the refusal says."""

import io
import struct

import numpy as np
from PIL import Image

from tests.server.wire import (
    HEIGHT,
    MAP,
    PHOTOGRAPH,
    VIEWS,
    WIDTH,
    Tensors,
    files,
    floats,
    integers,
    picture,
)

NAN, INF = float("nan"), float("inf")


def painted(columns: int, rows: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    """A mask prompt whose upper left corner is painted."""
    file = io.BytesIO()
    mask = np.zeros((size[1], size[0]), np.uint8)
    mask[:rows, :columns] = 255
    Image.fromarray(mask).save(file, "PNG")
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBBI", 13, b"IHDR", width, height, 8, 2, 0, 0, 0, 0)


def damaged(data: bytes) -> bytes:
    """As whole as before, with a hole in its middle."""
    middle = len(data) // 2
    return data[:middle] + bytes(100) + data[middle + 100 :]


LARGE = {kind: picture(kind, (1600, 1200)) for kind in ("JPEG", "PNG", "WEBP")}


def click(x: float, y: float, view: int = 0, label: int = 1) -> Tensors:
    return {"POINTS": floats([[[x, y]]]), "POINT_LABELS": integers([[label]]), "POINT_VIEWS": integers([[view]])}


def clicks(objects: int, count: int) -> Tensors:
    """As many positive clicks on each of so many objects."""
    return {
        "POINTS": np.ones((objects, count, 2), np.float32),
        "POINT_LABELS": np.ones((objects, count), np.int32),
        "POINT_VIEWS": np.zeros((objects, count), np.int32),
    }


def box(*corners: float, of_object: int = 0, view: int = 0) -> Tensors:
    return {"BOXES": floats([corners]), "BOX_OBJECTS": integers([of_object]), "BOX_VIEWS": integers([view])}


def masks(*contents: bytes, of_object: int = 0, view: int = 0) -> Tensors:
    count = len(contents)
    return {
        "PROMPT_MASKS": files(*contents),
        "MASK_OBJECTS": integers([of_object] * count),
        "MASK_VIEWS": integers([view] * count),
    }


def photographs(*contents: bytes) -> Tensors:
    return {"IMAGES": files(*contents)}


def pointmap(views: int = VIEWS, height: int = MAP[1], width: int = MAP[2], point: float = 0.5) -> Tensors:
    """Pointmaps of another shape, or with one coordinate set."""
    points = np.random.default_rng(2).normal(size=(views, height, width, 3)).astype(np.float32)
    points[-1:, 2:3, 3:4, 1] = point
    return {"points": points, "confidence": np.ones((views, height, width), np.float32)}


def valid_but(view: int, rows: slice, columns: slice) -> Tensors:
    valid = np.ones(MAP, bool)
    valid[view, rows, columns] = False
    return {"VALID": valid}


CORNER = valid_but(0, slice(0, 8), slice(0, 12))  # that of the first photograph, to (48, 32)
EVERYWHERE = slice(None)

# Words of ours: what is wrong, and after a semicolon what to do.
OURS: dict[str, tuple[Tensors, str]] = {
    "labels of another shape": (
        {"POINT_LABELS": integers([[1, 1]])},
        r"POINT_LABELS has shape \[1, 2\]; give \[1, 1\], as POINTS has it",
    ),
    "views of another shape": (
        {"POINT_VIEWS": integers([[0], [0]])},
        r"POINT_VIEWS has shape \[2, 1\]; give \[1, 1\], as POINTS has it",
    ),
    "boxes without objects": (
        box(9, 9, 30, 30) | {"BOX_OBJECTS": None},
        r"BOX_OBJECTS has shape \[0\]; give \[1\], as BOXES has it",
    ),
    "boxes without views": (
        box(9, 9, 30, 30) | {"BOX_VIEWS": None},
        r"BOX_VIEWS has shape \[0\]; give \[1\], as BOXES has it",
    ),
    "views of boxes without boxes": (
        {"BOX_VIEWS": integers([0])},
        r"BOX_VIEWS has shape \[1\]; give \[0\], as BOXES has it",
    ),
    "masks without objects": (
        masks(painted(9, 9)) | {"MASK_OBJECTS": None},
        r"MASK_OBJECTS has shape \[0\]; give \[1\], as PROMPT_MASKS has it",
    ),
    "no object": (clicks(0, 1), "POINTS holds no object.*; give a positive click, a box or a mask"),
    "no click": (clicks(1, 0), "POINTS: object 0 has no prompts; give it a positive click, a box or a mask"),
    "nothing but padding": (
        click(40, 30, label=-1),
        "POINTS: object 0 has no prompts; give it a positive click, a box or a mask",
    ),
    "a second object without a prompt": (
        clicks(2, 1) | {"POINT_LABELS": integers([[1], [-1]])},
        "POINTS: object 1 has no prompts; give it a positive click",
    ),
    "only a negative click": (
        click(40, 30, label=0),
        "POINT_LABELS: object 0 has only negative clicks; add a positive",
    ),
    "a second object with only a negative click": (
        clicks(2, 1) | {"POINT_LABELS": integers([[1], [0]])},
        "POINT_LABELS: object 1 has only negative clicks; add a positive one, a box or a mask",
    ),
    "click left of the picture": (
        click(-1, 30),
        r"POINTS: object 0, click 0 at \(-1.0, 30.0\) lies outside view 0 \(96x64\); give x in \[0, 95\] and y in",
    ),
    "click right of the picture": (click(96, 30), r"POINTS: .* lies outside view 0 \(96x64\); give x in \[0, 95\]"),
    "click above the picture": (click(40, -7), r"POINTS: .* lies outside view 0 .*; give .* y in \[0, 63\]"),
    "click below the picture": (click(40, 64), r"POINTS: .* lies outside view 0 .*; give .* y in \[0, 63\]"),
    "click right of the upright picture": (
        click(80, 30, view=1),
        r"POINTS: .* lies outside view 1 \(64x96\); give x in \[0, 63\] and y in \[0, 95\]",
    ),
    "view beyond the last": (click(40, 30, view=2), "POINT_VIEWS: object 0, click 0 names view 2 of 2; give 0 to 1"),
    "negative view": (click(40, 30, view=-1), "POINT_VIEWS: object 0, click 0 names view -1 of 2; give 0 to 1"),
    "click at NaN": (click(NAN, 30), r"POINTS: object 0, click 0 at \(nan, 30.0\) is not finite; give finite"),
    "click at infinity": (click(40, INF), r"POINTS: .* at \(40.0, inf\) is not finite; give finite pixel coordinates"),
    "click at minus infinity": (click(-INF, 30), r"POINTS: .* at \(-inf, 30.0\) is not finite; give finite"),
    "label 7": (
        click(40, 30, label=7),
        r"POINT_LABELS: object 0, click 0 has label 7; give 1 \(positive\), 0 \(negative\) or -1 \(padding\)",
    ),
    "a million clicks": (clicks(1, 10**6), "POINTS: 1000000 clicks an object, more than the 256 allowed; send fewer"),
    "a million objects": (clicks(10**6, 1), "POINTS: 1000000 objects, more than the 64 allowed; send fewer objects"),
    "65 boxes": (
        {
            "BOXES": floats([[9, 9, 30, 30]] * 65),
            "BOX_OBJECTS": integers([0] * 65),
            "BOX_VIEWS": integers([0] * 65),
        },
        "BOXES: 65 boxes, more than the 64 allowed; send fewer boxes",
    ),
    "65 masks": (masks(*[painted(9, 9)] * 65), "PROMPT_MASKS: 65 masks, more than the 64 allowed; send fewer masks"),
    "inverted box": (box(30, 9, 9, 30), r"BOXES: box 0 is .*; give \(x0, y0, x1, y1\) with x0 < x1 and y0 < y1"),
    "box of no height": (box(9, 9, 30, 9), r"BOXES: box 0 is .*; give \(x0, y0, x1, y1\) with x0 < x1 and y0 < y1"),
    "box reaching outside": (
        box(9, 9, 30, 66),
        r"BOXES: box 0 \(9.0, 9.0, 30.0, 66.0\) reaches outside view 0 \(96x64\); give x in \[0, 95\]",
    ),
    "box at NaN": (box(9, NAN, 30, 30), "BOXES: box 0 is .*; give finite pixel coordinates"),
    "box of an unknown object": (
        box(9, 9, 30, 30, of_object=1),
        "BOX_OBJECTS: box 0 names object 1 of 1; give 0 to 0",
    ),
    "box in an unknown view": (box(9, 9, 30, 30, view=2), "BOX_VIEWS: box 0 names view 2 of 2; give 0 to 1"),
    "mask of another size": (
        masks(painted(9, 9, (WIDTH, HEIGHT + 1))),
        "PROMPT_MASKS: mask 0 is 96x65, its photograph, view 0, 96x64; send a mask of the upright photograph's size",
    ),
    "mask of the picture before it is turned": (
        masks(painted(9, 9), view=1),
        "PROMPT_MASKS: mask 0 is 96x64, its photograph, view 1, 64x96; send a mask of the upright photograph's size",
    ),
    "mask as JPEG": (masks(picture("JPEG")), "PROMPT_MASKS: mask 0 is a JPEG; send PNG"),
    "mask of zero bytes": (masks(b""), "PROMPT_MASKS: mask 0 is empty .*; send an encoded"),
    "truncated mask": (masks(painted(9, 9)[:-30]), "PROMPT_MASKS: mask 0 is a truncated PNG; send the whole file"),
    "damaged mask": (masks(damaged(PHOTOGRAPH)), "PROMPT_MASKS: mask 0 is a .*damaged PNG; send the whole file"),
    "two masks for one object and view": (
        masks(painted(9, 9), painted(8, 8)),
        "PROMPT_MASKS: mask 1 and mask 0 are for the same object 0 and view 0; merge them into one",
    ),
    "empty mask": (masks(painted(0, 0)), "PROMPT_MASKS: mask 0 is empty: no pixel is set; paint the object"),
    "mask of an unknown object": (
        masks(painted(9, 9), of_object=-1),
        "MASK_OBJECTS: mask 0 names object -1 of 1; give 0 to 0",
    ),
    "mask in an unknown view": (masks(painted(9, 9), view=7), "MASK_VIEWS: mask 0 names view 7 of 2; give 0 to 1"),
    "unknown encoding": ({"ENCODING": files(b"gif")}, "ENCODING is 'gif'; give one of rle, png, packed, raw"),
    "encoding that is no text": ({"ENCODING": files(b"\xff\0")}, "ENCODING is .*; give one of rle, png, packed, raw"),
    "zero views": (photographs(), "IMAGES is empty; send at least one photograph"),
    "zero bytes": (
        photographs(PHOTOGRAPH, b""),
        r"IMAGES: view 1 is empty \(zero bytes\); send an encoded JPEG, PNG or WebP picture",
    ),
    "300 views": (
        photographs(*[PHOTOGRAPH] * 300),
        "IMAGES: 300 photographs, more than the 100 allowed; send fewer views",
    ),
    **{
        f"truncated {kind}": (
            photographs(*[LARGE["JPEG"]] * 3, data[: len(data) * 9 // 10]),
            f"(?i)IMAGES: view 3 is a truncated {kind}; send the whole file",
        )
        for kind, data in LARGE.items()
    },
    "damaged PNG": (photographs(damaged(PHOTOGRAPH)), "IMAGES: view 0 is a .*damaged PNG; send the whole file"),
    "JPEG with a broken header": (
        photographs(b"\xff\xd8\xff\xe0" + bytes(500)),
        "IMAGES: view 0 is a JPEG with a truncated or damaged header; send the whole file",
    ),
    "PNG of 50000 x 50000": (
        photographs(PHOTOGRAPH, png_header(50_000, 50_000)),
        "IMAGES: view 1 has 50000x50000 pixels, more than the 50000000 allowed; send a smaller photograph",
    ),
    "PNG without pixels": (photographs(png_header(0, 9)), "IMAGES: view 0 is a PNG without pixels; send a picture"),
    "TIFF, whatever its name": (
        photographs(picture("TIFF")),
        "IMAGES: view 0 is a TIFF file; send JPEG, PNG or WebP \\(mvsam-client converts it\\)",
    ),
    "GIF": (
        photographs(picture("GIF")),
        "IMAGES: view 0 is a GIF file; send JPEG, PNG or WebP \\(mvsam-client converts it\\)",
    ),
    "HEIC": (
        photographs(b"\0\0\0\x18ftypheic" + bytes(99)),
        "IMAGES: view 0 is a HEIC file; send JPEG, PNG or WebP \\(mvsam-client\\[heic\\] converts it\\)",
    ),
    "text": (
        photographs(b"the quick brown fox"),
        "IMAGES: view 0 is in an unknown picture format; send JPEG, PNG or WebP",
    ),
}

# The same for what only the user's own geometry can get wrong.
OF_GEOMETRY: dict[str, tuple[Tensors, str]] = {
    "pointmaps of more views": (
        pointmap(views=3),
        "points holds 3 views, IMAGES 2; give one pointmap a photograph",
    ),
    "pointmaps without pixels": (
        pointmap(height=0),
        r"points has shape \[2, 0, 24, 3\]; give \[views, height, width, 3\]",
    ),
    "pointmaps that are too large": (
        pointmap(views=1, height=1001, width=1000),
        "points has 1001x1000 pixels a view, more than the 1000000 allowed; send smaller pointmaps",
    ),
    "NaN in a pointmap": (
        pointmap(point=NAN),
        r"points: view 1, pixel \(3, 2\) is not finite; set VALID to false where no geometry is",
    ),
    "infinite confidence": (
        {"confidence": np.full(MAP, INF, np.float32)},
        r"confidence: view 0, pixel \(0, 0\) is not finite; set VALID to false where no geometry is",
    ),
    "a pointmap that is all invalid": (
        valid_but(1, EVERYWHERE, EVERYWHERE),
        "VALID: view 1 has no valid pixel; leave that view out",
    ),
    "confidence of another shape": (
        {"confidence": np.ones((2, 16, 23), np.float32)},
        r"confidence has shape \[2, 16, 23\]; give \[2, 16, 24\], as points has it",
    ),
    "validity of another shape": (
        {"VALID": np.ones((2, 15, 24), bool)},
        r"VALID has shape \[2, 15, 24\]; give \[2, 16, 24\], as points has it",
    ),
    "click on invalid geometry": (
        CORNER,
        r"POINTS: object 0, click 0 at \(40.0, 30.0\) in view 0 lies on pixel \(10, 7\) of the pointmap, which has no "
        "valid geometry; click beside it",
    ),
    "box on invalid geometry": (
        CORNER | click(90, 60) | box(2, 2, 30, 30),
        "BOXES: box 0 holds no valid geometry in view 0; draw it elsewhere",
    ),
    "mask on invalid geometry": (
        CORNER | click(90, 60) | masks(painted(40, 30)),
        "PROMPT_MASKS: mask 0 covers no valid geometry in view 0; paint more of it",
    ),
}
