"""Panels that are right; this module loads no torch, as a panel's must not."""

from pathlib import Path

from rich.text import Text


class Right:
    """The newest loss."""

    title = "loss"

    def draw(self, run, width, height):
        rows = run["rows"]
        return f"{rows[-1]['loss']:.3f} after {len(rows)}"[:width] if rows else "nothing yet"


class Coloured(Right):
    """Rich text, with what the folder holds."""

    @property
    def title(self):
        return "coloured"

    def draw(self, run, width, height):
        text = Text("loss ", style="bold")
        text.append("\n".join(f"{row['loss']:.2e}" for row in run["rows"]), style="red")
        text.append(str(len(list(Path(run["dir"]).iterdir())) if run["dir"] else 0))
        return text


class Cached(Right):
    """Keeps what it worked out, by what it was worked out from."""

    def __init__(self):
        self.known = {}

    def draw(self, run, width, height):
        key = (tuple(row["loss"] for row in run["rows"]), width, height)
        return self.known.setdefault(key, super().draw(run, width, height))


def made_by_a_function():
    """A panel need not be a class."""
    return Right()


class Chatty(Right):
    """Prints, which is another fault than loading torch."""

    def draw(self, run, width, height):
        print("here I am")
        return super().draw(run, width, height)
