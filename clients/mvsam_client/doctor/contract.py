"""What this client sends and asks for, to be compared with what a server takes and gives."""

from collections.abc import Mapping

_PROMPTS = {
    "POINTS": "FP32",
    "POINT_LABELS": "INT32",
    "POINT_VIEWS": "INT32",
    "BOXES": "FP32",
    "BOX_OBJECTS": "INT32",
    "BOX_VIEWS": "INT32",
    "PROMPT_MASKS": "BYTES",
    "MASK_OBJECTS": "INT32",
    "MASK_VIEWS": "INT32",
    "ENCODING": "BYTES",
}
_MASKS = {"MASKS": "BYTES", "SCORES": "FP32", "AREAS": "INT64"}
_OWN_GEOMETRY = {"points": "FP32", "confidence": "FP32", "VALID": "BOOL"}
_GEOMETRY = {"points": "FP32", "confidence": "FP32", "camera_poses": "FP32", "GEOMETRY_RECTS": "FP32"}

SCENE, ENSEMBLE, POINTMAP = "mvsam_scene", "mvsam", "mvsam_pointmap"
INPUTS: Mapping[str, Mapping[str, str]] = {
    SCENE: {
        "ACTION": "BYTES",
        "SCENE": "BYTES",
        "IMAGES": "BYTES",
        "VIEWS": "INT32",
        "PREVIOUS": "BYTES",
        **_OWN_GEOMETRY,
        **_PROMPTS,
    },
    ENSEMBLE: {"IMAGES": "BYTES", **_PROMPTS},
    POINTMAP: {"IMAGES": "BYTES", **_OWN_GEOMETRY, **_PROMPTS},
}
OUTPUTS: Mapping[str, Mapping[str, str]] = {
    SCENE: {
        "SCENE": "BYTES",
        "IMAGE_SIZES": "INT32",
        "IMAGE_DIGESTS": "BYTES",
        "SCENE_STATISTICS": "FP32",
        "VIEW": "INT32",
        "ANSWER": "BYTES",
        **_MASKS,
        **_GEOMETRY,
    },
    ENSEMBLE: {"IMAGE_SIZES": "INT32", **_MASKS, **_GEOMETRY},
    POINTMAP: {"IMAGE_SIZES": "INT32", **_MASKS},
}


def differences(model: str, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> list[str]:
    """In what a model of a server is not the one that this client talks to.

    Args:
        model: its name.
        inputs: data type by name, as the server has them.
        outputs: likewise.
    """
    found = []
    for what, expected, there in (("input", INPUTS[model], inputs), ("output", OUTPUTS[model], outputs)):
        for name, kind in expected.items():
            if name not in there:
                found.append(f"{model} has no {what} {name}")
            elif there[name] != kind:
                found.append(f"{what} {name} of {model} is {there[name]}, not {kind}")
    return found
