"""One small request through the whole of a served repository: the proof that it answers, and its first, slowest run."""

import io

import numpy as np
import tritonclient.grpc as triton
from PIL import Image

ENSEMBLE = "mvsam"
SIZE = (96, 64)  # width, height
NO_PROXY = [("grpc.enable_http_proxy", 0)]  # those of the environment are for the world, not for loopback


def warm_up(grpc_url: str, timeout: float) -> None:
    """Segments two small generated photographs with one click, over gRPC.

    Args:
        grpc_url: host and port.
        timeout: seconds until the answer must be there.

    Raises:
        tritonclient.utils.InferenceServerException: the server refused, failed or took too long.
    """
    photographs = np.array([_photograph(seed) for seed in range(2)], dtype=np.object_)
    inputs = [
        _tensor("IMAGES", photographs, "BYTES"),
        _tensor("POINTS", np.array([[[SIZE[0] / 2, SIZE[1] / 2]]], np.float32), "FP32"),
        _tensor("POINT_LABELS", np.ones((1, 1), np.int32), "INT32"),
        _tensor("POINT_VIEWS", np.zeros((1, 1), np.int32), "INT32"),
    ]
    outputs = [triton.InferRequestedOutput("MASKS")]
    with triton.InferenceServerClient(grpc_url, channel_args=NO_PROXY) as client:
        client.infer(ENSEMBLE, inputs, outputs=outputs, client_timeout=timeout)


def _photograph(seed: int) -> bytes:
    """A PNG of noise, so that nothing in it is degenerate."""
    pixels = np.random.default_rng(seed).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def _tensor(name: str, values: np.ndarray, datatype: str) -> triton.InferInput:
    tensor = triton.InferInput(name, list(values.shape), datatype)
    tensor.set_data_from_numpy(values)
    return tensor
