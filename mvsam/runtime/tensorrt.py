"""A graph computed by a TensorRT engine, through Polygraphy."""

import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mvsam.pipeline.errors import RequestError
from mvsam.runtime.engines import PLAN, Machine, check_engine
from mvsam.runtime.segmenter import Rows
from mvsam.runtime.signature import Signature


class DeviceRows:
    """An array in GPU memory, taken by rows; its memory goes with it.

    Args:
        array: copied there.
    """

    def __init__(self, array: np.ndarray) -> None:
        from polygraphy.cuda import DeviceArray

        self.shape, self.dtype, self.nbytes = array.shape, array.dtype, array.nbytes
        self._memory = DeviceArray(shape=array.shape, dtype=array.dtype)
        weakref.finalize(self, self._memory.free)
        self._memory.copy_from(np.ascontiguousarray(array))

    def __getitem__(self, rows: slice) -> Any:
        """Consecutive rows, as the runner takes them: an address, no copy."""
        from polygraphy.cuda import DeviceView

        start, stop, _ = rows.indices(self.shape[0])
        row = self.nbytes // self.shape[0]
        return DeviceView((self._memory.ptr or 0) + start * row, (stop - start, *self.shape[1:]), self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """A copy in the CPU's memory."""
        return self._memory.numpy().astype(dtype or self.dtype, copy=False)


class TensorRtSession:
    """One engine.

    Args:
        plan: a serialized engine. It is executable code: only one that was just built, or that `load` has checked.
        manifest: the engine's, of which its tensors' names and types are taken.
    """

    def __init__(self, plan: bytes, manifest: dict[str, Any]) -> None:
        from polygraphy.backend.trt import EngineFromBytes, TrtRunner

        self.manifest = manifest
        self.signature = Signature.of(manifest)
        self.inputs, self.outputs = list(self.signature.inputs), list(self.signature.outputs)
        self.types = {name: np.dtype(kind) for name, kind in manifest["types"].items() if name in self.inputs}
        self._runner = TrtRunner(EngineFromBytes(plan))
        self._runner.activate()
        self._running = threading.Lock()

    @classmethod
    def load(cls, folder: Path) -> "TensorRtSession":
        """The engine of a folder, if its manifest says that it belongs here.

        Raises:
            NoGpuError: there is no GPU, or no TensorRT.
            ArtifactError: the engine is not what its manifest says, not accepted, or of another machine.
        """
        manifest = check_engine(folder, Machine.here())
        return cls((folder / PLAN).read_bytes(), manifest)

    def _check_profile(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        for name, shape in shapes.items():
            *_, most = self.manifest["profile"][name]
            if any(side > limit for side, limit in zip(shape, most, strict=True)):
                raise RequestError(
                    f"the engine takes {name} up to {most}, not {list(shape)}; send fewer photographs, objects or "
                    "prompts at a time, or build engines for more (make engines)"
                )

    def keep(self, arrays: Mapping[str, np.ndarray]) -> dict[str, Rows]:
        """Copies arrays to the GPU, for inputs that many calls share; rows of them are inputs of `run`."""
        return {name: DeviceRows(array) for name, array in arrays.items()}

    def run(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Every output by name; inputs are arrays, or rows of what `keep` has returned.

        Raises:
            RequestError: more of something than the engine was built for.
        """
        given = {name: inputs[name] for name in self.inputs}
        self._check_profile({name: tuple(array.shape) for name, array in given.items()})
        feed = {name: np.ascontiguousarray(x) if isinstance(x, np.ndarray) else x for name, x in given.items()}
        with self._running:  # one context, one set of outputs, overwritten next time
            found = self._runner.infer(feed)
            return {name: np.array(found[name]) for name in self.outputs}
