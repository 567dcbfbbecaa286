"""An installed Triton that cannot serve a repository is refused before it is started, by what is wrong with it.

Stand-ins for the container's: the wheel's server, with graph backends whose libraries only know their versions.
"""

import json
import logging
import shutil
import subprocess
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from server import installation, runtime
from server.installation import VERSION_COMPATIBLE, arguments_for
from server.runtime import UnsuitableEnvironmentError

COMPILER = shutil.which("cc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler for the stand-ins")

ONNXRUNTIME = """
static const char *version(void) {{ return "{}"; }}
static const struct {{ void *api; const char *(*version)(void); }} base = {{ 0, version }};
const void *OrtGetApiBase(void) {{ return &base; }}
"""
TENSORRT = """
int getInferLibMajorVersion(void) {{ return {}; }}
int getInferLibMinorVersion(void) {{ return {}; }}
int getInferLibPatchVersion(void) {{ return {}; }}
int getInferLibBuildVersion(void) {{ return {}; }}
"""


def compiled(library: Path, source: str, *options: str) -> Path:
    library.parent.mkdir(parents=True, exist_ok=True)
    code = library.with_suffix(".c")
    code.write_text(source)
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-o", library, code, *options], check=True)
    return library


def with_backend(triton: Path, name: str, library: str, source: str) -> None:
    """A C++ backend in all but its code: linked to a library that knows its version."""
    folder = triton / "backends" / name
    shutil.rmtree(folder, ignore_errors=True)
    compiled(folder / library, source, f"-Wl,-soname,{library}")
    compiled(
        folder / f"libtriton_{name}.so", "", f"-L{folder}", "-Wl,--no-as-needed", f"-l:{library}", "-Wl,-rpath,$ORIGIN"
    )


@pytest.fixture
def triton(tmp_path: Path) -> Path:
    """As the container lays it out, without graph backends."""
    laid_out = tmp_path / "tritonserver"
    embedded = runtime.assemble(tmp_path / "layout")
    (laid_out / "bin").mkdir(parents=True)
    (laid_out / "bin" / "tritonserver").symlink_to(embedded.executable)
    (laid_out / "backends").mkdir()
    (laid_out / "backends" / "python").symlink_to(embedded.backends / "python")
    (laid_out / "caches").symlink_to(embedded.caches)
    return laid_out


@pytest.fixture
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of devices without a GPU."""
    folder = tmp_path / "dev"
    folder.mkdir()
    monkeypatch.setattr(installation, "DEVICES", folder)
    return folder


def repository(folder: Path, backend: str, **manifest: Any) -> Path:
    """One model, as far as its start is concerned."""
    version = folder / "pi3" / "1"
    version.mkdir(parents=True)
    (folder / "pi3" / "config.pbtxt").write_text(f'# A graph.\nbackend: "{backend}"\n')
    (version / "manifest.json").write_text(json.dumps(manifest))
    return folder


def engine(folder: Path, tensorrt: str, version_compatible: bool = False) -> Path:
    options = {"version_compatible": version_compatible}
    return repository(
        folder, "tensorrt", preset="large", precision="fp16", machine={"tensorrt": tensorrt}, options=options
    )


def test_a_stub_of_another_python_is_refused_with_the_way_to_that_python(triton: Path) -> None:
    python = triton / "backends" / "python"
    python.unlink()
    python.mkdir()
    stub = python / "triton_python_backend_stub"
    stub.symlink_to(runtime._wheel() / "python_backend_stubs" / "3.12" / "triton_python_backend_stub")
    with pytest.raises(UnsuitableEnvironmentError, match=r"Python 3\.12, and this .* 3\.11: .*PYTHON=python3\.12"):
        runtime.installed(triton)
    stub.unlink()
    with pytest.raises(UnsuitableEnvironmentError, match="an installed Triton with its Python backend"):
        runtime.installed(triton)


def test_a_triton_without_the_backend_is_refused(triton: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsuitableEnvironmentError, match="has no backend onnxruntime; take a container"):
        arguments_for(triton, repository(tmp_path / "models", "onnxruntime", opset=23))


@needs_compiler
def test_an_onnx_runtime_too_old_for_the_graphs_is_refused(triton: Path, tmp_path: Path) -> None:
    with_backend(triton, "onnxruntime", "libonnxruntime.so.1", ONNXRUNTIME.format("1.22.0"))
    models = repository(tmp_path / "models", "onnxruntime", opset=23)
    with pytest.raises(UnsuitableEnvironmentError, match=r"ONNX Runtime 1\.22\.0.* 23\) need 1\.23.*25\.08 or later"):
        arguments_for(triton, models)


@needs_compiler
def test_the_version_of_a_real_onnx_runtime_is_found(
    triton: Path, tmp_path: Path, devices: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with_backend(triton, "onnxruntime", "libonnxruntime.so.1", "int OrtGetApiBase;")
    library = triton / "backends" / "onnxruntime" / "libonnxruntime.so.1"
    library.unlink()
    (real,) = (Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*")
    library.symlink_to(real)
    with caplog.at_level(logging.WARNING):
        assert arguments_for(triton, repository(tmp_path / "models", "onnxruntime", opset=23)) == []
    assert "spin" in caplog.text and "docs/operations.md" in caplog.text
    library.unlink()
    with pytest.raises(UnsuitableEnvironmentError, match="does not find its libonnxruntime"):
        arguments_for(triton, tmp_path / "models")
    library.write_text("no library")
    with pytest.raises(UnsuitableEnvironmentError, match="backend onnxruntime cannot be used"):
        arguments_for(triton, tmp_path / "models")


@needs_compiler
@pytest.mark.parametrize(("version", "is_slow"), [("1.24.4", True), ("1.27.0", False)])
def test_on_a_gpu_an_onnx_runtime_that_leaves_attention_to_the_cpu_is_told(
    version: str, is_slow: bool, triton: Path, tmp_path: Path, devices: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (devices / "nvidia0").touch()
    with_backend(triton, "onnxruntime", "libonnxruntime.so.1", ONNXRUNTIME.format(version))
    with caplog.at_level(logging.WARNING):
        arguments_for(triton, repository(tmp_path / "models", "onnxruntime", opset=23))
    assert ("attention on the CPU" in caplog.text and "26.07" in caplog.text) == is_slow
    assert "spin" not in caplog.text


@needs_compiler
@pytest.mark.parametrize(
    ("built", "version_compatible", "accepted"),
    [
        ("11.1.0.106", False, True),
        ("11.1.0.105", False, False),
        ("11.0.0.1", False, False),
        ("11.0.0.1", True, True),
        ("11.4.0.106", True, False),
        ("10.9.0.1", True, False),
    ],
)
def test_engines_of_another_tensorrt_are_refused_unless_built_for_later_ones(
    built: str, version_compatible: bool, accepted: bool, triton: Path, tmp_path: Path
) -> None:
    with_backend(triton, "tensorrt", "libnvinfer.so.11", TENSORRT.format(11, 1, 0, 106))
    models = engine(tmp_path / "models", built, version_compatible)
    if accepted:
        assert arguments_for(triton, models) == [VERSION_COMPATIBLE] * version_compatible
        return
    complaint = (
        rf"pi3 belongs to TensorRT {built}, .* has 11\.1\.0\.106: .*tensorrt==11\.1\.0\.106.*make engines PRESET"
    )
    with pytest.raises(UnsuitableEnvironmentError, match=complaint):
        arguments_for(triton, models)


def test_python_based_backends_bring_their_own_libraries(triton: Path, tmp_path: Path) -> None:
    for backend in runtime.OUR_BACKENDS.iterdir():
        (triton / "backends" / backend.name).symlink_to(backend)
    assert arguments_for(triton, engine(tmp_path / "models", "11.4.0.106", True)) == [VERSION_COMPATIBLE]
