"""`docs/reliability.md`, written from the trials' own output."""

import json
from pathlib import Path

from mvsam.runtime.artifacts import write_text
from server.trials.figures import Trial

HEAD = """# Reliability

Written by the trials themselves, each against the real service on loopback. A demand that is not met says so.
"""


def write_report(folder: Path, document: Path) -> None:
    """All trials of a folder."""
    parts = [HEAD]
    for path in sorted(folder.glob("*.json")):
        trial = Trial.load(path)
        facts = "\n".join(f"- {name}: {value}" for name, value in trial.facts.items())
        rows = "\n".join(
            f"| {check.demand} | {check.found} | {'yes' if check.holds else '**no**'} |" for check in trial.checks
        )
        parts.append(f"## `{trial.command}`\n\n{facts}\n\n| demand | found | met |\n| --- | --- | --- |\n{rows}")
        parts.append(f"```json\n{json.dumps(trial.figures, indent=2)}\n```")
    write_text(document, "\n\n".join(parts) + "\n")
