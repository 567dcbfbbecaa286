"""`make load-test`: what the service does under load, with the demanded figures beside the found ones."""

import argparse
import datetime
import logging
import os
import sys
from pathlib import Path

from server.trials import crosstalk, latency, load
from server.trials.figures import Trial
from server.trials.report import write_report
from server.trials.running import served

FOLDER = Path("out/reliability")


def main() -> int:
    """Runs a group of trials against a service of its own; 1 if a demand is not met."""
    parser = argparse.ArgumentParser(prog="python -m server.trials", description=main.__doc__)
    parser.add_argument("trial", choices=("load",))
    parser.add_argument("--repository", type=Path, default=Path("build/repository/demo"))
    parser.add_argument("--minutes", type=float, default=10.0, help="of mixed load (default %(default)g)")
    parser.add_argument("--clicks", type=int, default=3000, help="that are compared (default %(default)s)")
    parser.add_argument("--document", type=Path, default=Path("docs/reliability.md"))
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    trial = Trial(options.trial, f"make {options.trial}-test", facts(options.repository))
    FOLDER.mkdir(parents=True, exist_ok=True)
    with served(options.repository, FOLDER / "triton.log") as service:
        latency.run(options.repository, service.grpc_url, trial)
        crosstalk.run(service.grpc_url, options.clicks, trial)
        load.overload(service, 30, trial)
        load.mixture(service, 60 * options.minutes, trial)
    trial.save(FOLDER)
    write_report(FOLDER, options.document)
    for check in trial.checks:
        print(f"{'ok  ' if check.holds else 'FAIL'} {check.demand}: {check.found}")
    print(f"Read {options.document}")
    return 0 if trial.holds else 1


def facts(repository: Path) -> dict[str, str]:
    """Of the machine and the moment."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "machine": f"{len(os.sched_getaffinity(0))} CPU cores, load average before {os.getloadavg()[0]:.1f}",
        "repository": str(repository),
    }


if __name__ == "__main__":
    sys.exit(main())
