"""The Python that runs Triton's models, and what is installed in it."""

from collections.abc import Iterator, Mapping

from mvsam_client.doctor import Finding, Machine, ok, problem, warning

PYTHONS = ((3, 11), (3, 12))
NUMPY = "1.26.4"
SAM2 = "1.1.0"
# torchvision 0.n is built for torch 2.(n - 15).
TORCHVISION_AHEAD = 15
SETUP = "`make setup` does so in a new .venv"


def examine(machine: Machine) -> Iterator[Finding]:
    """From the interpreter to the packages that are known to go wrong together."""
    found = [
        *_python(machine.python),
        *_numpy(machine.packages),
        *_onnxruntime(machine.packages),
        *_torch(machine.packages),
        *_triton(machine.packages),
        *_versions(machine.packages),
    ]
    yield from found
    if not found:
        names = ("numpy", "onnxruntime", "onnxruntime-gpu", "torch", "sam2", "tensorrt", "nvidia-pytriton", "mvsam")
        there = [f"{name} {machine.packages[name]}" for name in names if name in machine.packages]
        yield ok(f"Python {_dotted(machine.python)}, {', '.join(there)}")


def _python(python: tuple[int, int]) -> Iterator[Finding]:
    if python not in PYTHONS:
        yield problem(
            f"this is Python {_dotted(python)}",
            "The packages are pinned for, and Triton's Python models are hosted by, "
            f"{' and '.join(map(_dotted, PYTHONS))}.",
            f"remove .venv and make it anew: make setup PYTHON=python{_dotted(PYTHONS[0])}",
        )


def _numpy(packages: Mapping[str, str]) -> Iterator[Finding]:
    version = packages.get("numpy")
    if version is None or _numbers(version)[0] >= 2:
        yield problem(
            f"numpy {version} is installed" if version else "numpy is not installed",
            "The embedded Triton hands wrong tensors to Python models with numpy 2, and nothing says so.",
            f"pip install numpy=={NUMPY}; {SETUP}",
        )


def _onnxruntime(packages: Mapping[str, str]) -> Iterator[Finding]:
    cpu, gpu = packages.get("onnxruntime"), packages.get("onnxruntime-gpu")
    if cpu and gpu:
        yield problem(
            f"onnxruntime {cpu} and onnxruntime-gpu {gpu} are both installed",
            "They share one folder: the last one installed decides whether there is CUDA, and removing one breaks the "
            "other.",
            "pip uninstall -y onnxruntime onnxruntime-gpu, then one of them: pip install -e '.[cpu]' or, with a GPU, "
            "pip install -e '.[gpu]'",
        )
    elif not cpu and not gpu and "tensorrt" not in packages:
        yield problem(
            "neither onnxruntime nor onnxruntime-gpu nor tensorrt is installed",
            "Nothing can compute the graphs.",
            f"pip install -e '.[cpu]' or, with a GPU, pip install -e '.[gpu]'; {SETUP} for CPUs",
        )


def _torch(packages: Mapping[str, str]) -> Iterator[Finding]:
    torch, torchvision = packages.get("torch"), packages.get("torchvision")
    if torch is None:
        return  # graphs that are built elsewhere are served without it
    if torchvision is not None and not _fit(torch, torchvision):
        numbers = _numbers(torch)
        yield problem(
            f"torchvision {torchvision} does not belong to torch {torch}",
            "Importing it fails, and with it everything that looks whether it is there, such as sam2.",
            "pip uninstall -y torchvision (nothing here needs it), or install the one that fits: "
            f"torchvision 0.{numbers[1] + TORCHVISION_AHEAD}",
        )
    if "sam2" not in packages:
        yield problem(
            "torch is installed but sam2 is not",
            "The image encoder cannot be built: `make export`, and with it `make serve`, fails.",
            f"SAM2_BUILD_CUDA=0 pip install --no-deps --no-build-isolation sam2=={SAM2}; {SETUP}",
        )


def _triton(packages: Mapping[str, str]) -> Iterator[Finding]:
    if "nvidia-pytriton" not in packages:
        yield warning(
            "nvidia-pytriton is not installed",
            "There is no embedded Triton: `make serve` fails outside Triton's container.",
            f"pip install -e '.[serve]'; {SETUP}",
        )


def _versions(packages: Mapping[str, str]) -> Iterator[Finding]:
    server, client = packages.get("mvsam"), packages.get("mvsam-client")
    if server and client and server != client:
        yield warning(
            f"mvsam is of version {server} and mvsam-client of {client}",
            "The server may be sent what it does not know.",
            f"install both from one state of the project: pip install -e . -e clients; {SETUP}",
        )


def _fit(torch: str, torchvision: str) -> bool:
    """Whether the versions belong together, and the builds too (+cpu, +cu130), where they are told."""
    of_torch, of_vision = _numbers(torch), _numbers(torchvision)
    builds = {version.partition("+")[2] for version in (torch, torchvision)} - {""}
    return of_torch[0] == 2 and of_vision[:2] == [0, of_torch[1] + TORCHVISION_AHEAD] and len(builds) < 2


def _numbers(version: str) -> list[int]:
    """The leading numbers of a version, at least two."""
    parts = version.partition("+")[0].split(".")
    digits = ["".join(character for character in part if character.isdigit()) or "0" for part in (*parts, "0")]
    return [int(part) for part in digits]


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
