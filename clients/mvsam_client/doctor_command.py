"""`mvsam doctor`: looks at the server and at this machine, and says what to do."""

import importlib.util
from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from mvsam_client.address import Address, add_connection
from mvsam_client.command_line import (
    EXIT_CODES,
    FOLDER,
    CommandError,
    Exit,
    Parser,
    add_json,
    print_json,
    say,
    suggestion,
)
from mvsam_client.doctor import Check, Finding, Level, Machine, ok, ports, problem, server, warning
from mvsam_client.progress import Progress
from mvsam_client.terminal import shown

GROUP = "mvsam.doctor"
TIMEOUT = 120.0  # seconds for a request of two small photographs
OWN = (
    Check("server", "it answers, serves this client and does its work", server.examine),
    Check("ports", "they are the server's, or free for it", ports.examine),
)
Found = list[tuple[Check, Finding]]


def main(arguments: Sequence[str]) -> int:
    """Runs the subcommand; exit code 1 where there is a problem."""
    command = parser()
    options = command.parse_args(arguments)
    chosen = _chosen(options.checks)
    if options.project and not options.project.is_dir():
        command.error(f"--project {options.project} is no folder; name the project's, or leave it out")
    machine = Machine(Address.of(options), http_port=options.http_port, project=options.project or project_folder())
    found: Found = []
    with Progress("Examining", total=len(chosen)) as progress:
        for check in chosen:
            found += [(check, finding) for finding in examined(check, machine)]
            progress.advance()
    if options.json:
        print_json(as_json(found))
    else:
        say(report(found))
    return Exit.FAILED if any(finding.level is Level.PROBLEM for _, finding in found) else Exit.DONE


def parser() -> Parser:
    """Of the subcommand's arguments."""
    listed = "\n".join(f"  {check.name:<12}{check.summary}" for check in all_checks())
    made = Parser(
        "mvsam doctor",
        "Looks at the server and at this machine, changes nothing, and says of everything that is wrong what it means "
        "and what to do.",
        f"Checks:\n{listed}\n\n{EXIT_CODES}",
    )
    made.add_argument("checks", nargs="*", metavar="CHECK", help="only these; all where none is named")
    add_connection(made, TIMEOUT)
    made.add_argument(
        "--http-port", type=int, default=8000, metavar="N", help="of the server's health (default %(default)s)"
    )
    made.add_argument("--project", type=Path, metavar=FOLDER, help="the project's folder, where it is not this one")
    add_json(made)
    return made


def all_checks() -> list[Check]:
    """Those of this package, and those that other distributions bring."""
    found = list(OWN)
    entries = entry_points(group=GROUP)
    for entry in entries:
        found += _loaded(entry)
    if not entries:
        found.append(Check("installation", "of the server on this machine", _not_installed))
    return found


def examined(check: Check, machine: Machine) -> list[Finding]:
    """What a check finds. One that fails is itself a finding: the others must still be made."""
    try:
        return list(check.examine(machine))
    except Exception as error:
        return [
            warning(
                f"this could not be looked at ({type(error).__name__}: {error})",
                "The check itself has failed; what it is for may be well or not.",
                "please report it as a defect of `mvsam doctor`",
            )
        ]


def report(found: Found) -> str:
    """For people: a paragraph a check."""
    lines = []
    last = None
    for check, finding in found:
        if check is not last:
            lines += ["", check.name]
            last = check
        lines.append(f"  {finding.level:<9}{shown(finding.fact)}")
        if finding.meaning:
            lines.append(f"{'':<11}{shown(finding.meaning)}")
        if finding.remedy:
            lines.append(f"{'':<11}-> {shown(finding.remedy)}")
    return "\n".join([*lines[1:], "", _summary(found)])


def as_json(found: Found) -> dict[str, Any]:
    """For programs."""
    return {
        "findings": [
            {
                "check": check.name,
                "level": finding.level.value,
                "fact": finding.fact,
                "meaning": finding.meaning,
                "remedy": finding.remedy,
            }
            for check, finding in found
        ],
        "warnings": _count(found, Level.WARNING),
        "problems": _count(found, Level.PROBLEM),
    }


def project_folder() -> Path:
    """This folder where it is the project's; else the one that `mvsam` is installed from, if any."""
    here = Path.cwd()
    spec = importlib.util.find_spec("mvsam")
    candidates = [here, *([Path(spec.origin).parent.parent] if spec and spec.origin else [])]
    return next((folder for folder in candidates if (folder / "model_repository").is_dir()), here)


def _chosen(names: Sequence[str]) -> list[Check]:
    checks = all_checks()
    known = [check.name for check in checks]
    for name in names:
        if name not in known:
            hint = suggestion(name, known) or f"; there are {', '.join(known)}"
            raise CommandError(f"there is no check {name!r}{hint}", Exit.USAGE)
    return [check for check in checks if not names or check.name in names]


def _loaded(entry: EntryPoint) -> Iterable[Check]:
    try:
        return entry.load()
    except ImportError as error:
        reason = str(error)

    def examine(machine: Machine) -> Iterable[Finding]:
        yield problem(
            f"the checks of the server's machine cannot be loaded ({reason})",
            "The installation of `mvsam` is incomplete.",
            "install it anew: `make setup` in the project's folder",
        )

    return [Check(entry.name, "further checks", examine)]


def _not_installed(machine: Machine) -> Iterable[Finding]:
    yield ok("the distribution `mvsam` is not installed here: weights, graphs, GPU and memory are not looked at")


def _summary(found: Found) -> str:
    problems, warnings = _count(found, Level.PROBLEM), _count(found, Level.WARNING)
    if not problems and not warnings:
        return "All is well."
    return f"{_counted(problems, 'problem')}, {_counted(warnings, 'warning')}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _count(found: Found, level: Level) -> int:
    return sum(finding.level is level for _, finding in found)
