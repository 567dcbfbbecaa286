"""Words for full shared memory, through which Triton and its Python models hand each other tensors."""

import re
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
# What Triton says of it, to whom it may not concern: names of segments, and advice about Docker.
FULL = re.compile("shared memory (pool|key|region)")
TO_CLIENTS = (
    "the server has too little shared memory for this request; send fewer or smaller photographs, or try again later"
)
REMEDY = f"start the container with --shm-size=8g, or mount -o remount,size=8G {SHARED_MEMORY}"
TO_OPERATORS = f"{SHARED_MEMORY} is full; {REMEDY}"
