"""The embedded Triton server: the wheel's `tritonserver`, serving this repository on loopback without Docker."""
