import os
import subprocess
import sys

PROGRAM = """
import pathlib, sys
from mvsam.runtime.artifacts import write_text
write_text(pathlib.Path(sys.argv[1]), "\\u03c0\\u00b3")
"""


def test_documents_are_utf_8_whatever_the_locale(tmp_path):
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", PROGRAM, tmp_path / "a.md"], env=environment, check=True)
    assert (tmp_path / "a.md").read_bytes() == "\u03c0\u00b3".encode()
