"""Every fenced block of the documents runs in a test, or is read by the program that it is for."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mvsam.training.user_masks import UserScenes
from server.tokens import read_tokens
from tests.unit.docs.commands import RefusedError, check_line
from tests.unit.docs.documents import ROOT, Block, documents, fenced, without_fenced

# Third parties' own deprecations, on import.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

TEXTS = documents()
BLOCKS = [block for document, text in TEXTS.items() for block in fenced(document, text)]
# Documents whose Python needs a server run in tests/server/test_readme.py, which takes their blocks by these words.
SERVED = {
    "README.md": 'blocks("{}")',
    "clients/README.md": 'blocks("{}", (ROOT / "clients" / "README.md").read_text())',
    "docs/protocol.md": 'blocks("{}", PROTOCOL)',
    "docs/geometry.md": 'blocks("{}", GEOMETRY)',
}
HERE = {"docs/training.md"}  # whose Python runs in this file
# Pictures and layouts of folders, by their first words. Layouts are read by the tests of what reads them.
PLAIN = {
    ("docs/evaluation.md", "images/<stem>.jpg"),
    ("docs/training.md", "sa_000000.tar"),
    ("docs/training.md", "scene/images/<stem>.jpg"),
}


def check(block: Block, folder: Path) -> None:
    """Fails for a block that nothing runs or reads."""
    server = (ROOT / "tests" / "server" / "test_readme.py").read_text()
    served = SERVED.get(block.document, "{}: none").format(block.language)
    if block.language == "python":
        assert block.document in HERE or served in server, "no test runs it"
    elif block.language == "sh" and block.document == "docs/protocol.md":
        assert served in server, "no test runs it"
    elif block.language == "sh":
        for line in block.text.replace("\\\n", " ").splitlines():
            check_line(line)
    elif block.language == "json":
        assert served in server or json.loads(block.text)
    elif block.language == "toml":
        tokens = folder / "tokens.toml"
        tokens.write_text(block.text.replace("64 hexadecimal digits", "0f" * 32))
        assert read_tokens(tokens)
    else:
        known = any(block.document == name and block.text.startswith(words) for name, words in PLAIN)
        assert served in server or (not block.language and known), "no test claims it"


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_blocks_run_or_are_read(block: Block, tmp_path: Path) -> None:
    check(block, tmp_path)


def test_all_blocks_are_found_and_an_unknown_one_fails(tmp_path: Path) -> None:
    assert sum(text.count("```") for text in TEXTS.values()) == 2 * len(BLOCKS)
    assert fenced("a.md", "- x\n\n  ```toml\n  [a]\n    b = 1\n  ```\n") == [Block("a.md", "toml", "[a]\n  b = 1\n")]
    for language, text in (("python", "1\n"), ("", "x\n"), ("yaml", "x: 1\n")):
        with pytest.raises(AssertionError):
            check(Block("docs/new.md", language, text), tmp_path)
    for line in (
        "rm -rf weights",
        "make nothing",
        "make train-demo BUDGET=soon",
        'make evaluate EVALUATE="--methods guess"',
        "make demo && python -m mvsam.training decoder --recipe paper",
        "torchrun --nproc-per-node=2 -m mvsam.training decoder --scenes a --output b --batch 3",
        "mvsam segment photos --clack 0:1,2",
        "pip install -e '.[all]'",
    ):
        with pytest.raises(RefusedError):
            check_line(line)


@pytest.mark.parametrize("document", list(TEXTS))
def test_commands_in_the_text_are_understood(document: str) -> None:
    """Those that leave out what is required are understood as far as they go."""
    for command in inline_commands(document):
        try:
            check_line(command)
        except RefusedError as refused:
            assert "the following arguments are required" in str(refused), refused


def inline_commands(document: str) -> list[str]:
    return re.findall(r"`((?:\.venv/bin/)?(?:python -m|torchrun|make) [^`]+)`", without_fenced(TEXTS[document]))


def test_options_that_the_training_guide_names_are_there() -> None:
    document = "docs/training.md"
    shell = [block.text for block in BLOCKS if block[:2] == (document, "sh")]
    lines = [line for text in shell for line in text.splitlines()] + inline_commands(document)
    known = {f"--{name.replace('_', '-')}" for line in lines for name in check_line(line)}
    named = set(re.findall(r"`(--[a-z0-9-]+)", without_fenced(TEXTS[document])))
    assert {"--accumulate", "--cache-gigabytes"} <= named <= known


def test_the_training_guides_scenes_can_be_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = [block for block in BLOCKS if block[:2] == ("docs/training.md", "python")]
    exec(compile(example.text, example.name, "exec"), {})
    training, held_out = UserScenes.open(Path("scenes")), UserScenes.open(Path("held_out"))
    assert [scene.folder.name for scene in training.scenes] == ["kitchen", "studio"] and not training.lacks_geometry
    assert all(len(scene.seen) == 3 and any(scene.seen.values()) for scene in training.scenes)
    assert next(held_out.examples()).geometry is not None


def test_the_made_up_network_gives_each_photograph_its_own_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for index, colour in enumerate(((255, 0, 0), (0, 0, 255))):
        Image.new("RGB", ((80, 40), (40, 40))[index], colour).save(tmp_path / "photos" / f"{index}.jpg", quality=95)
    provider, tried, *_ = [block for block in BLOCKS if block[:2] == ("docs/geometry.md", "python")]
    names: dict[str, object] = {}
    exec(compile(provider.text + tried.text, provider.name, "exec"), names)
    geometry = names["result"].geometry  # pyright: ignore[reportAttributeAccessIssue]
    assert geometry.points.shape == (2, 64, 64, 3) and geometry.valid.all()
    for points, colour in zip(geometry.points, ((1, 0, 0), (0, 0, 1)), strict=True):
        assert np.abs(points - np.array(colour)).max() < 0.02  # none of the black beside the photograph
