"""`make load-test`, `soak`, `faults`, `siege`: what the service must stand, the found figures beside the demanded."""

import argparse
import logging
import sys
import time
from pathlib import Path

from server.trials import bls, bombs, crosstalk, fuzz, kills, latency, load, siege, soak
from server.trials.figures import Trial, facts
from server.trials.report import write_report
from server.trials.running import served

FOLDER = Path("out/reliability")


def main() -> int:
    """Runs a group of trials against a service of its own; 1 if a demand is not met."""
    parser = argparse.ArgumentParser(prog="python -m server.trials", description=main.__doc__)
    parser.add_argument("trial", choices=list(TRIALS))
    parser.add_argument("--repository", type=Path, default=Path("build/repository/demo"))
    parser.add_argument("--minutes", type=float, default=10.0, help="of mixed load (default %(default)g)")
    parser.add_argument("--clicks", type=int, default=3000, help="of load and soak (default %(default)s)")
    parser.add_argument("--requests", type=int, default=5000, help="random ones of faults (default %(default)s)")
    parser.add_argument("--document", type=Path, default=Path("docs/reliability.md"))
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    command, run = TRIALS[options.trial]
    trial = Trial(options.trial, command, facts(options.repository))
    FOLDER.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    run(options, trial)
    trial.facts["minutes"] = round((time.monotonic() - began) / 60, 1)
    trial.save(FOLDER)
    write_report(FOLDER, options.document)
    for check in trial.checks:
        print(f"{'ok  ' if check.holds else 'FAIL'} {check.demand}: {check.found}")
    print(f"Read {options.document}")
    return 0 if trial.holds else 1


def _load(options: argparse.Namespace, trial: Trial) -> None:
    bls.run(options.repository, FOLDER, trial)
    with served(options.repository, FOLDER / "triton.log") as service:
        latency.run(options.repository, service.grpc_url, trial)
        crosstalk.run(service.grpc_url, options.clicks, trial)
        load.overload(service, 30, trial)
        load.mixture(service, 60 * options.minutes, trial)


def _soak(options: argparse.Namespace, trial: Trial) -> None:
    soak.run(options.repository, FOLDER, options.clicks, options.clicks // 15, trial)


def _faults(options: argparse.Namespace, trial: Trial) -> None:
    with served(options.repository, FOLDER / "triton.log") as service:
        bombs.one_bad(service, trial)
        bombs.run(service, trial)
        fuzz.network(service, options.requests, trial)
    fuzz.validators(20 * options.requests, trial)
    kills.run(options.repository, FOLDER, trial)


def _siege(options: argparse.Namespace, trial: Trial) -> None:
    siege.run(options.repository, FOLDER, trial)


TRIALS = {
    "load": ("make load-test", _load),
    "soak": ("make soak", _soak),
    "faults": ("make faults", _faults),
    "siege": ("make siege", _siege),
}


if __name__ == "__main__":
    sys.exit(main())
