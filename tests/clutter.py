"""What other programs leave in folders of photographs."""

from pathlib import Path

TWIN = b"\0\x05\x16\x07\0\x02\0\0Mac OS X        " + bytes(100)
ENDINGS = (".jpg", ".JPG", ".png", ".json", ".tar", ".pth")


def clutter(root: Path) -> None:
    """Adds a `._` twin of every file, hidden files and folders, and to photographs folders that are named like one."""
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    for folder in folders:
        files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
        for path in files:
            path.with_name(f"._{path.name}").write_bytes(TWIN)
        for ending in ENDINGS:
            (folder / f".hidden{ending}").write_bytes(b"hidden")
            if any(path.suffix == ending for path in files):
                (folder / f"album{ending}").mkdir()
        (folder / ".trash" / "images").mkdir(parents=True)
        (folder / ".trash" / "images" / "x.jpg").write_bytes(b"thrown away")


def in_capitals(root: Path) -> None:
    """Gives JPEG files the ending that cameras give them."""
    for path in list(root.rglob("*.jpg")):
        path.rename(path.with_suffix(".JPG"))
