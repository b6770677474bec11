"""What a page shows, taken out of it: `<!-- file: PATH -->` or `<!-- run [GROUP] -->` stands before a fenced block."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

_BLOCK = re.compile(r"^<!-- (file|run)(?:: (\S+)| (\w+))? -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def page(name: str) -> str:
    """The text of a page of docs/."""
    return (ROOT / "docs" / name).read_text()


def files(text: str) -> dict[str, str]:
    """{path: content} of every file that the page shows."""
    return {match[2]: match[4] for match in _BLOCK.finditer(text) if match[1] == "file"}


def commands(text: str, group: str = "") -> list[str]:
    """Every shell block of a group, in order."""
    return [match[4] for match in _BLOCK.finditer(text) if match[1] == "run" and (match[3] or "") == group]


def write(found: dict[str, str], folder: Path) -> None:
    """Puts the files where the page says they lie."""
    for name, content in found.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
