"""`python -m mvsam.synthetic preview | render | speed`: look at scenes, cache them, measure how fast they come."""

import argparse
import sys
import time
from pathlib import Path

from mvsam.synthetic import cache, preview, speed
from mvsam.synthetic.scene import Baseline, Split


def main(arguments: list[str] | None = None) -> int:
    """Runs a subcommand."""
    parser = argparse.ArgumentParser(prog="python -m mvsam.synthetic", description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    shown = commands.add_parser("preview", help="a contact sheet of many scenes")
    shown.add_argument("--out", type=Path, required=True)
    shown.set_defaults(run=_preview)
    cached = commands.add_parser("render", help="scenes to disk; run again to go on after an interruption")
    cached.add_argument("--out", type=Path, required=True)
    cached.add_argument("--baseline", choices=[b.name.lower() for b in Baseline], default="any")
    cached.set_defaults(run=_render)
    timed = commands.add_parser("speed", help="views a second")
    timed.set_defaults(run=_speed)
    for command, count, views in ((shown, 8, 5), (cached, None, 8), (timed, 24, 4)):
        command.add_argument("--count", type=_positive, default=count, required=count is None, help="scenes")
        command.add_argument("--views", type=_positive, default=views, help="photographs of each (%(default)s)")
        command.add_argument("--height", type=_positive, default=224)
        command.add_argument("--width", type=_positive, default=224)
        command.add_argument("--seed", type=int, default=0, help="of the first scene (%(default)s)")
        command.add_argument("--split", choices=[s.value for s in Split], default="train")
        command.add_argument("--device", default="cpu")
    for command in (cached, timed):
        command.add_argument("--workers", type=_positive, default=1, help="processes (%(default)s); CPU only")
    chosen = parser.parse_args(arguments)
    return chosen.run(chosen)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not positive")
    return number


def _preview(a: argparse.Namespace) -> int:
    preview.write(a.out, Split(a.split), list(range(a.seed, a.seed + a.count)), a.views, a.height, a.width, a.device)
    print(f"Look at {a.out}")
    return 0


def _render(a: argparse.Namespace) -> int:
    recipe = cache.Recipe(a.split, a.seed, a.count, a.views, a.height, a.width, a.baseline.upper())
    done, started = 0, time.monotonic()
    try:
        for scenes in cache.write(a.out, recipe, workers=a.workers, device=a.device):
            done += scenes
            rate = done * a.views / (time.monotonic() - started)
            print(f"{done} new scenes, {rate:.1f} views/s", flush=True)
    except cache.RecipeMismatchError as error:
        print(error, file=sys.stderr)
        return 2
    size = sum(path.stat().st_size for path in a.out.glob("*.npz"))
    print(f"{len(cache.CachedScenes(a.out))} scenes in {a.out}, {size / 1e6:.1f} MB")
    return 0


def _speed(a: argparse.Namespace) -> int:
    seeds = list(range(a.seed, a.seed + a.count))
    rate = speed.views_per_second(
        seeds, Split(a.split), views=a.views, height=a.height, width=a.width, device=a.device, workers=a.workers
    )
    print(f"{rate:.1f} views/s of {a.height}x{a.width} on {a.device}, {a.workers} process(es)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
