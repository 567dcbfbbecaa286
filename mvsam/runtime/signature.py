"""A graph's inputs and outputs, and the rule by which Triton's C++ onnxruntime backend compares config.pbtxt with them.

The backends of the embedded server apply the same rule, so that a repository which loads here loads there too.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mvsam.runtime.artifacts import ArtifactError


class ConfigError(ValueError):
    """A config.pbtxt does not fit its graph."""


@dataclass(frozen=True)
class Tensor:
    """An input or output.

    Attributes:
        type: as config.pbtxt names it, such as TYPE_FP32.
        dims: -1 where the graph leaves the size to the request.
    """

    type: str
    dims: tuple[int, ...]


@dataclass(frozen=True)
class Signature:
    """All of them, by name."""

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> "Signature":
        """Reads what an exported graph's or engine's manifest says.

        Raises:
            ArtifactError: it says nothing of tensors.
        """
        if "tensors" not in manifest:
            raise ArtifactError(
                f"the manifest of {manifest.get('graph')} does not list its tensors, as an older version wrote it: "
                "export all graphs again with `make export` (engines: `make engines`)"
            )
        inputs, outputs = (
            {name: Tensor(each["type"], tuple(each["dims"])) for name, each in manifest["tensors"][kind].items()}
            for kind in ("inputs", "outputs")
        )
        return cls(inputs, outputs)

    def for_manifest(self) -> dict[str, Any]:
        """Writes what `of` reads."""
        return asdict(self)

    def check(self, model: str, config: Mapping[str, Any]) -> None:
        """Compares a model's config with the graph.

        Names, types and ranks must be equal. Where the graph fixes a dim of an input the config must give the same
        number; dims of outputs must be equal, -1 where and only where the graph fixes none.

        Args:
            model: its name.
            config: as Triton hands it to a Python-based backend, JSON.

        Raises:
            ConfigError: names the model, the tensor, and what each side says.
        """
        for kind, graph in (("input", self.inputs), ("output", self.outputs)):
            declared = {tensor["name"]: tensor for tensor in config[kind]}
            if declared.keys() != graph.keys():
                raise ConfigError(
                    f"{model}: config.pbtxt names the {kind}s {sorted(declared)}, the graph {sorted(graph)}; "
                    "export the graph again, or correct config.pbtxt"
                )
            for name, tensor in graph.items():
                _check(f"{kind} {name}", model, declared[name], tensor, exactly=kind == "output")


def _check(what: str, model: str, declared: Mapping[str, Any], tensor: Tensor, exactly: bool) -> None:
    remedy = "assemble the repository again with `make repository`, which writes what the graph has"
    dims = [int(side) for side in declared.get("dims", ())]
    if declared["data_type"] != tensor.type:
        raise ConfigError(
            f"{model}: config.pbtxt says {declared['data_type']} of {what}, the graph {tensor.type}; {remedy}"
        )
    fits = len(dims) == len(tensor.dims) and all(
        one == other or (other == -1 and not exactly) for one, other in zip(dims, tensor.dims, strict=True)
    )
    if not fits:
        raise ConfigError(
            f"{model}: config.pbtxt gives {what} the dims {dims}, the graph {list(tensor.dims)}; {remedy}"
        )
