"""The program `mvsam`: Ctrl-C is no traceback either while its packages are being loaded, which takes a moment."""

import sys

INTERRUPTED = 130  # as `mvsam_client.command_line.Exit` has it, which is not loaded yet


def main() -> int:
    """Loads the command line and runs it.

    Returns:
        The exit code; see `mvsam_client.command_line.Exit`.
    """
    try:
        from mvsam_client.cli import main as run
    except KeyboardInterrupt:
        print("mvsam: interrupted", file=sys.stderr)
        return INTERRUPTED
    return run()
