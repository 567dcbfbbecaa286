"""Two ways to compute a graph that was cut short at one of its values."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from polygraphy.backend.trt import CreateConfig, EngineFromNetwork, NetworkFromOnnxPath, Profile, TrtRunner

from mvsam.runtime.onnx import cpu_session


def by_onnxruntime(model: Path, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """The only output of a model, on the CPU, which may compute in FP32 what the graph has in FP16."""
    return np.asarray(cpu_session(model).run(None, dict(inputs))[0])


def by_tensorrt(model: Path, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """The only output of a model, by an engine built for these inputs' shapes alone."""
    profile = Profile()
    for name, array in inputs.items():
        profile.add(name, array.shape, array.shape, array.shape)
    engine = EngineFromNetwork(NetworkFromOnnxPath(str(model), strongly_typed=True), CreateConfig(profiles=[profile]))
    with TrtRunner(engine) as runner:
        (found,) = runner.infer(dict(inputs)).values()
        return np.array(found)  # the runner's own goes with it
