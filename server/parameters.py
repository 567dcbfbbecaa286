"""Whether a request's parameters are served: before Triton, which ends itself over some and passes over others.

What tells a message of HTTP how its tensors travel is read in `server.rest` and never gets here.
"""

from typing import Any

import grpc

from mvsam.pipeline.errors import quoted
from server.doorman import Refused

ENDS_EMPTY = "triton_enable_empty_final_response"  # of a request: its last response says that it is the last
IN_THE_BODY = "shared memory is not for clients; send tensors in the request, and take them from the answer"
REMEDIES = {
    "classification": "outputs are masks and numbers, without classes; leave it out",
    "timeout": "the server sets no timeouts; set a deadline on the call",
    "priority": "requests have no priorities here; leave it out",
    **dict.fromkeys(
        ("sequence_id", "sequence_start", "sequence_end"),
        "requests are joined by a scene's id, not by a sequence; leave it out",
    ),
    **dict.fromkeys(("shared_memory_region", "shared_memory_offset", "shared_memory_byte_size"), IN_THE_BODY),
}


def check_parameters(request: Any) -> None:
    """Checks the parameters of a request, of its inputs and of the outputs that it asks for.

    Args:
        request: ModelInferRequest of KServe v2, whose tensors have passed `server.tensors`.

    Raises:
        Refused: INVALID_ARGUMENT; the message names the tensor and the parameter.
    """
    for name, parameter in request.parameters.items():
        if name != ENDS_EMPTY:
            raise _refusal("the request", name)
        if parameter.WhichOneof("parameter_choice") != "bool_param":
            raise Refused(
                grpc.StatusCode.INVALID_ARGUMENT,
                "parameters",
                f"the parameter {name!r} of the request is not true or false; send one of them",
            )
    for tensor in (*request.inputs, *request.outputs):
        for name in tensor.parameters:
            raise _refusal(tensor.name, name)


def _refusal(holder: str, name: str) -> Refused:
    remedy = REMEDIES.get(name, "it is not supported; leave it out")
    return Refused(
        grpc.StatusCode.INVALID_ARGUMENT, "parameters", f"{holder} has the parameter {quoted(name)}: {remedy}"
    )
