"""Networks like the demo preset's but for their depth: the exporter takes half a minute for each of those."""

from dataclasses import replace
from pathlib import Path

from mvsam.networks.presets import PRESETS, Precision

_DEMO = PRESETS["demo"]
SHALLOW = replace(
    _DEMO,
    pi3=replace(_DEMO.pi3, encoder_depth=1, decoder_depth=2),
    encoder=replace(_DEMO.encoder, stages=(1, 1, 2, 1), global_blocks=(3,)),
    decoder=replace(_DEMO.decoder, depth=1),
)


def export(name: str, folder: Path, precision: Precision = Precision.FP32, *, for_gpu: bool = False) -> None:
    """Writes a graph with seeded weights to folder/name."""
    from export.to_onnx import Typing, export_graph
    from mvsam.networks.checkpoints import WeightSource
    from mvsam.networks.graphs import GRAPHS

    typing = Typing(precision, for_gpu=for_gpu)
    export_graph(GRAPHS[name], SHALLOW, WeightSource.SEEDED, folder, folder / name, typing)
