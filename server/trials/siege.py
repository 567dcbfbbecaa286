"""Attacks beside an honest client: what the attacker gets, how long the client waits, how much memory it takes."""

import hashlib
import logging
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import trustme

from mvsam_client import Tls
from server.trials.attacks import bodies, connections, doors, floods, malformed, processes, prompts, shares
from server.trials.attacks import messages as inflated
from server.trials.attacks.target import Attack, Outcome, Target
from server.trials.figures import Trial
from server.trials.honest_client import WITHIN, HonestClient, judged
from server.trials.memory import MEGABYTE, watched
from server.trials.running import Served, served, shared_memory
from server.trials.variants import variant

logger = logging.getLogger(__name__)

CACHE = 256  # MB of scenes
MOST = 1500 + CACHE  # MB of all processes
QUIET_WITHIN = 60.0  # seconds
END_WITHIN = 30.0
LOOK_EVERY = 0.1
FEWEST = 5  # answers of the honest client beside an attack
QUOTAS = {"honest": 10**6, "attacker": 10**6, "neighbour": 10**6, "small": 60}  # requests a minute, by owner
# Shorter than by default, so that their end is seen in these minutes.
OPTIONS = ("--max-receive-seconds=10", "--max-send-seconds=10")
MODELS = ("mvsam", "mvsam_pointmap")

ATTACKS = [
    *doors.ATTACKS,
    *inflated.ATTACKS,
    *malformed.ATTACKS,
    *connections.ATTACKS,
    *prompts.ATTACKS,
    *bodies.ATTACKS,
    *floods.ATTACKS,
    *shares.ATTACKS,
    *processes.ATTACKS,
]
FEW_DESCRIPTORS = ("prlimit", f"--nofile={connections.DESCRIPTORS}:{connections.DESCRIPTORS}")
LITTLE_SHARED_MEMORY = (
    *("unshare", "--mount", "sh", "-c"),
    'mount -t tmpfs -o size=64m tmpfs /dev/shm && exec "$@"',
    "sh",
)


def run(repository: Path, scratch: Path, trial: Trial) -> None:
    """All attacks, one after the other."""
    small = variant(repository, scratch / "siege", "mvsam_scene", {"max_scene_bytes": CACHE * MEGABYTE})
    with attacked(small) as target:
        with honest_client(target) as honest:
            for attack in ATTACKS:
                beside(honest, attack, target, trial)
        _hung_up(target.service, trial)
    with attacked(small, inside=FEW_DESCRIPTORS) as target, honest_client(target) as honest:
        beside(honest, connections.WITH_FEW_DESCRIPTORS, target, trial)
    if subprocess.run([*LITTLE_SHARED_MEMORY, "true"], check=False, capture_output=True).returncode:
        logger.info("not tried, since this user may not mount anything: %s", processes.WITH_LITTLE)
        return
    with attacked(small, inside=LITTLE_SHARED_MEMORY, with_tls=True) as target, honest_client(target) as honest:
        for attack in processes.WITH_LITTLE:
            beside(honest, attack, target, trial)


@contextmanager
def attacked(repository: Path, inside: Sequence[str] = (), with_tls: bool = False) -> Iterator[Target]:
    """A service with tokens in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # what is in it must protect itself
        tokens = write_tokens(folder / "tokens.toml")
        options = [f"--tokens={folder / 'tokens.toml'}", *OPTIONS]
        if with_tls:
            options += write_certificates(folder)
        with served(repository, folder / "triton.log", *options, inside=inside) as service:
            tls = Tls(folder / "authority.pem") if with_tls else None
            yield Target(service, repository, folder, tokens, tls)


def write_certificates(folder: Path) -> list[str]:
    """Writes an authority and what it has signed; returns the options that name the latter."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    return [f"--tls-cert={folder / 'server.pem'}", f"--tls-key={folder / 'server.pem'}"]


def _hung_up(service: Served, trial: Trial) -> None:
    """SIGHUP, as of a terminal that closes: the end in order, and nothing left."""
    family, began = service.processes(), time.monotonic()
    service.process.send_signal(signal.SIGHUP)
    try:
        end = f"exit {service.process.wait(END_WITHIN)}"
    except subprocess.TimeoutExpired:
        end = "no end"
    seconds = time.monotonic() - began
    left = [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    segments = shared_memory(service.process.pid)
    trial.expect(
        "SIGHUP: exit 0, no process and no shared memory left",
        f"{end} after {seconds:.1f} s; {len(left)} processes and {len(segments)} segments left",
        end == "exit 0" and not left and not segments,
    )


def write_tokens(file: Path) -> dict[str, str]:
    """Writes a file of new tokens, and returns them by their owners' names."""
    tokens = {owner: secrets.token_hex(16) for owner in QUOTAS}
    file.write_text(
        "".join(
            f'[[token]]\nname = "{owner}"\nsha256 = "{hashlib.sha256(token.encode()).hexdigest()}"\n'
            f"requests_per_minute = {QUOTAS[owner]}\nat_once = 1000\n"
            for owner, token in tokens.items()
        )
    )
    return tokens


@contextmanager
def honest_client(target: Target) -> Iterator[HonestClient]:
    """One whose clicks are answered already."""
    honest = HonestClient(target.service.grpc_url, target.tokens["honest"], target.tls)
    try:
        assert honest.wait(0.0, QUIET_WITHIN), "the honest client is not answered, and nobody attacks yet"
        yield honest
    finally:
        honest.close()


def beside(honest: HonestClient, attack: Attack, target: Target, trial: Trial) -> None:
    """Runs one attack, waits until the service is quiet again, and judges what the client and the attacker got."""
    service = target.service
    began = time.monotonic()
    if attack.also:
        honest.also(attack.also, True)
    with watched(service.process.pid) as peak:
        try:
            outcome = attack.run(target)
        except Exception as error:  # a fault of the attack's own is no success of the service's
            outcome = Outcome(f"the attack itself failed: {type(error).__name__}: {error}"[:200], False)
        if attack.also:
            honest.also(attack.also, False)
        ended = time.monotonic()
        quiet_after = _wait_until_quiet(service)
        calm = honest.wait(time.monotonic(), QUIET_WITHIN)
        while calm and len(honest.answers(began)) < FEWEST:
            calm = honest.wait(time.monotonic(), QUIET_WITHIN)
    client, is_well = judged(honest.answers(began), attack.outage)
    trial.figures[attack.name] = {
        "attacker": outcome.found,
        "honest client": client,
        "seconds": round(ended - began, 1),
        "seconds until quiet": None if quiet_after is None else round(quiet_after, 1),
        "click after it, s": None if calm is None else round(calm.seconds, 2),
        "MB at most": round(peak.total / MEGABYTE),
        "MB at most by process": {name: round(size / MEGABYTE) for name, size in sorted(peak.processes.items())},
    }
    found = f"{outcome.found}. Honest client: {client}. Memory: {peak}"
    logger.info("%s: %s", attack.name, found)
    trial.expect(
        attack.name,
        found,
        outcome.holds
        and is_well
        and peak.total <= MOST * MEGABYTE
        and quiet_after is not None
        and calm is not None
        and calm.seconds <= WITHIN,
    )


def _wait_until_quiet(service: Served) -> float | None:
    """Seconds until no request of an ensemble is inside; None where there is still one after a minute."""
    began = time.monotonic()
    while time.monotonic() < began + QUIET_WITHIN:
        try:
            if not any(service.metric(f'mvsam_requests_inside{{model="{model}"}}') for model in MODELS):
                return time.monotonic() - began
        except OSError:  # it takes no connections at this moment
            pass
        time.sleep(LOOK_EVERY)
    return None
