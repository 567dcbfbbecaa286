"""The same graph in different runtimes, each behind two methods: inputs are placed once, and computed from many times.

A faster way to compute a graph is one more class like these and one more entry in `offers.FAMILIES`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from mvsam.cores import available_cores
from mvsam.runtime.artifacts import verified
from mvsam.runtime.onnx import MODEL
from mvsam.runtime.segmenter import Session

# Inputs with channels before height and width.
MAPS = {"image_embedding", "high_res_0", "high_res_1", "mask_prompts", "images"}


class Runtime(Protocol):
    """A graph, ready to compute."""

    def place(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Any]:
        """Inputs where a call wants them, in arrays that can be cut; no part of a call."""
        ...

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Every output by name."""
        ...


class Eager:
    """PyTorch, operation by operation.

    Args:
        module: a graph's module on its device.
        outputs: names of what it returns.
        channels_last: whether maps lie in memory with their channels innermost.
    """

    def __init__(self, module: nn.Module, outputs: list[str], device: torch.device, *, channels_last: bool) -> None:
        self.module = module
        self.outputs = outputs
        self.device = device
        self.layout = torch.channels_last if channels_last else torch.contiguous_format

    def place(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        placed = {name: x.to(self.device) for name, x in inputs.items()}
        return {name: x.contiguous(memory_format=self.layout) if name in MAPS else x for name, x in placed.items()}

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        with torch.inference_mode():
            result = self.module(**inputs)
        return dict(zip(self.outputs, result if isinstance(result, tuple) else (result,), strict=True))


class Compiled(Eager):
    """PyTorch, compiled for the shapes of every case; on a GPU replayed as a CUDA graph."""

    SHAPES = 64  # more than the cases of any run: without them PyTorch falls back to eager after eight

    def __init__(self, module: nn.Module, outputs: list[str], device: torch.device) -> None:
        super().__init__(module, outputs, device, channels_last=False)
        torch._dynamo.config.recompile_limit = self.SHAPES
        mode = "reduce-overhead" if device.type == "cuda" else "default"
        self.module = torch.compile(module, dynamic=False, fullgraph=True, mode=mode)

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        torch.compiler.cudagraph_mark_step_begin()
        result = super().run(inputs)
        # The next replay overwrites what this one returned.
        return {name: x.clone() for name, x in result.items()} if self.device.type == "cuda" else result


class OfSession:
    """Any session of `mvsam.runtime`: arrays of the host in and out."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def place(self, inputs: Mapping[str, Tensor]) -> dict[str, Any]:
        return {name: x.numpy() for name, x in inputs.items()}

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return self.session.run(dict(inputs))


class BoundOnnx:
    """ONNX Runtime on tensors of a device: neither inputs nor outputs travel.

    Args:
        folder: the exported graph's.
        provider: of the device.

    Raises:
        ArtifactError: the folder does not hold what its manifest says.
    """

    def __init__(self, folder: Path, provider: str, device: torch.device) -> None:
        import onnxruntime

        verified(folder)
        self.device = device
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = available_cores()  # of what the provider leaves to the CPU
        self.session = onnxruntime.InferenceSession(str(folder / MODEL), options, providers=[provider])
        self.outputs = [tensor.name for tensor in self.session.get_outputs()]

    def place(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: x.to(self.device) for name, x in inputs.items()}

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Any]:
        import numpy as np

        binding = self.session.io_binding()
        index = self.device.index or 0
        for name, x in inputs.items():
            kind = getattr(np, str(x.dtype).removeprefix("torch.").replace("bool", "bool_"))
            binding.bind_input(name, self.device.type, index, kind, tuple(x.shape), x.contiguous().data_ptr())
        for name in self.outputs:
            binding.bind_output(name, self.device.type, index)
        self.session.run_with_iobinding(binding)
        return dict(zip(self.outputs, binding.get_outputs(), strict=True))
