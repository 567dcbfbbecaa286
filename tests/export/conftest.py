"""TensorRT-RTX in TensorRT's place."""

import os

os.environ["POLYGRAPHY_USE_TENSORRT_RTX"] = "1"  # read when Polygraphy is imported
