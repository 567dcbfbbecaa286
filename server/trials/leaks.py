"""What an answer may not hold, written apart from the service's own filter, which it judges."""

import re

INTERNALS = re.compile(
    r"traceback|line \d+, in |\.py\b|\.pbtxt|\.onnx|site-packages|/(?:usr|home|root|tmp|etc|opt|dev|work|proc|var|mnt)/"
    r"|[A-Z]:\\|0x[0-9a-f]{8}|\bBearer\b|PRIVATE KEY|std::|pybind|<class '"
    r"|ipv[46]:|unix:|localhost|127\.0\.0\.1|::1\]",
    re.IGNORECASE,
)


def is_leak(text: str) -> bool:
    """Whether a text that a client got names anything of our insides."""
    return bool(INTERNALS.search(text))
