"""The embedded Triton server: the wheel's `tritonserver`, serving this repository without Docker."""
