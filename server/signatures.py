"""What each model for clients takes and gives, and whether a request fits it: before Triton, in our own words."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from mvsam.pipeline.errors import quoted
from server.doorman import AT_ONCE, Refused
from server.launcher import LaunchError

config: Any = model_config_pb2

CONFIG = "config.pbtxt"


@dataclass(frozen=True)
class Input:
    """One input.

    Attributes:
        datatype: KServe v2's name, such as FP32 or BYTES.
        dims: -1 where the size is the request's.
        optional: whether it may be left out.
    """

    datatype: str
    dims: tuple[int, ...]
    optional: bool = False

    @property
    def shape(self) -> str:
        """For people."""
        return f"[{', '.join('any' if side < 0 else str(side) for side in self.dims)}]"

    def fits(self, shape: list[int]) -> bool:
        """Whether a tensor of this shape can be it."""
        return len(shape) == len(self.dims) and all(a in (-1, b) for a, b in zip(self.dims, shape, strict=True))


@dataclass(frozen=True)
class Signature:
    """One model.

    Attributes:
        name: of the model.
        versions: that the repository has.
        inputs: by name.
        outputs: names.
    """

    name: str
    versions: tuple[str, ...]
    inputs: Mapping[str, Input]
    outputs: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path) -> "Signature":
        """Reads a model's folder in the repository.

        Raises:
            LaunchError: its config cannot be read.
        """
        path = folder / CONFIG
        try:
            read = text_format.Parse(path.read_text(), config.ModelConfig(), allow_unknown_field=True)
        except (text_format.ParseError, UnicodeDecodeError) as error:
            raise LaunchError(f"{path} cannot be read ({error}); make repository writes it anew") from None
        return cls(
            folder.name,
            tuple(sorted(version.name for version in folder.iterdir() if version.name.isdecimal())),
            {each.name: Input(datatype_of(each), tuple(each.dims), each.optional) for each in read.input},
            tuple(each.name for each in read.output),
        )

    def check_version(self, version: str) -> None:
        """Raises Refused where a request names a version that is not there; it may name none."""
        if version and version not in self.versions:
            text = f"{self.name} has no version {quoted(version)}; name none, or {', '.join(self.versions)}"
            raise Refused(grpc.StatusCode.NOT_FOUND, "version", text)

    def check(self, request: Any) -> None:
        """Compares a request with the model.

        Args:
            request: ModelInferRequest of KServe v2, whose tensors have passed `server.tensors`.

        Raises:
            Refused: INVALID_ARGUMENT or, of another version, NOT_FOUND; the message names the tensor.
        """
        self.check_version(request.model_version)
        for tensor in request.inputs:
            known, shape = self.inputs.get(tensor.name), list(tensor.shape)
            if known is None:
                raise _refusal(
                    f"{self.name} has no input {quoted(tensor.name)}; its inputs are {', '.join(self.inputs)}"
                )
            if tensor.datatype != known.datatype:
                raise _refusal(f"{tensor.name} has the type {tensor.datatype}; send {known.datatype}")
            if not known.fits(shape):
                raise _refusal(f"{tensor.name} has the shape {shape}; send {known.shape}")
        given = {tensor.name for tensor in request.inputs}
        for name, known in self.inputs.items():
            if not known.optional and name not in given:
                raise _refusal(f"{name} is missing; send it, {known.datatype} of shape {known.shape}")
        for output in request.outputs:
            if output.name not in self.outputs:
                raise _refusal(
                    f"{self.name} has no output {quoted(output.name)}; its outputs are {', '.join(self.outputs)}"
                )


def read_signatures(repository: Path) -> dict[str, Signature]:
    """Returns those of the models for clients that a repository holds, by name.

    Raises:
        LaunchError: as for `Signature.of`.
    """
    return {model: Signature.of(repository / model) for model in AT_ONCE if (repository / model / CONFIG).is_file()}


def datatype_of(tensor: Any) -> str:
    """Returns KServe v2's name of the type of an input or output in a model's config."""
    return config.DataType.Name(tensor.data_type).removeprefix("TYPE_").replace("STRING", "BYTES")


def _refusal(text: str) -> Refused:
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, "tensors", text)
