"""`docs/reliability.md`, written from the trials' own output."""

import json
from pathlib import Path

from server.trials.figures import Trial

HEAD = """# Reliability

Written by the trials themselves, each against the real service on loopback. A demand that is not met says so.
"""


def write_report(folder: Path, document: Path) -> None:
    """All trials of a folder, under a temporary name first."""
    parts = [HEAD]
    for path in sorted(folder.glob("*.json")):
        trial = Trial.load(path)
        facts = "\n".join(f"- {name}: {value}" for name, value in trial.facts.items())
        rows = "\n".join(
            f"| {check.demand} | {check.found} | {'yes' if check.holds else '**no**'} |" for check in trial.checks
        )
        parts.append(f"## `{trial.command}`\n\n{facts}\n\n| demand | found | met |\n| --- | --- | --- |\n{rows}")
        parts.append(f"```json\n{json.dumps(trial.figures, indent=2)}\n```")
    document.parent.mkdir(parents=True, exist_ok=True)
    temporary = document.with_name(document.name + ".tmp")
    temporary.write_text("\n\n".join(parts) + "\n")
    temporary.replace(document)
