"""`mvsam encode`: photographs to a scene that the server keeps."""

import time
from collections.abc import Sequence
from typing import Any

from mvsam_client.address import Address, add_connection
from mvsam_client.command_line import Exit, Parser, add_json, print_json, say
from mvsam_client.command_words import naming
from mvsam_client.file_names import portable
from mvsam_client.given import add_photographs, counted, given
from mvsam_client.progress import Progress
from mvsam_client.scene import ENCODE_TIMEOUT, Scene
from mvsam_client.terminal import shown


def main(arguments: Sequence[str]) -> int:
    """Runs the subcommand; the scene stays in the server."""
    options = parser().parse_args(arguments)
    photographs = given(options.photographs, options.frames)
    address = Address.of(options)
    began = time.perf_counter()
    with address.client() as client:
        with naming(photographs), Progress(f"Encoding {counted(len(photographs))} at {address.url}"):
            scene = client.encode([each.encoded for each in photographs], timeout=options.timeout)
        found = as_json(scene, [each.name for each in photographs], time.perf_counter() - began)
    if options.json:
        print_json(found)
    else:
        say(report(found))
    return Exit.DONE


def parser() -> Parser:
    """Of the subcommand's arguments."""
    made = Parser(
        "mvsam encode",
        "Sends photographs once, to be clicked on many times: `mvsam segment --scene ID`, or Client.scene(ID) of the "
        "SDK. The server forgets a scene that nobody has used for a while (half an hour where nothing else was said).",
    )
    add_photographs(made)
    add_connection(made, ENCODE_TIMEOUT)
    add_json(made)
    return made


def as_json(scene: Scene, names: Sequence[str], seconds: float) -> dict[str, Any]:
    """For programs: the id, and what is known of the scene.

    Args:
        scene: just encoded.
        names: of its photographs.
        seconds: that it took.
    """
    assert scene.sizes is not None and scene.statistics is not None, "it has just been encoded"
    mean, deviation, threshold = scene.statistics[:3], scene.statistics[3:6], scene.statistics[6]
    return {
        "scene": scene.id,
        "views": [
            {"view": view, "name": portable(name), "width": int(width), "height": int(height)}
            for view, (name, (height, width)) in enumerate(zip(names, scene.sizes, strict=True))
        ],
        "points_mean": mean.tolist(),
        "points_deviation": deviation.tolist(),
        "confidence_threshold": float(threshold),
        "seconds": seconds,
    }


def report(found: dict[str, Any]) -> str:
    """The same for people; the id on the first line by itself."""
    views = [f"{each['view']}  {shown(each['name'])}  {each['width']}×{each['height']}" for each in found["views"]]
    mean, deviation = (", ".join(f"{value:.3g}" for value in found[f"points_{name}"]) for name in ("mean", "deviation"))
    return "\n".join(
        [
            shown(found["scene"]),
            *views,
            f"points: mean ({mean}), deviation ({deviation}); those of confidence up to "
            f"{found['confidence_threshold']:.3g} are unsure",
            f"encoded in {found['seconds']:.2f} s",
        ]
    )
