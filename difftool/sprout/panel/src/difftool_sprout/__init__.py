"""A panel for difftool's dashboard: it sees a run and returns text."""

import math

from rich.text import Text


class Sprout:
    """The newest rows of metrics, with a bar for each loss."""

    title = "sprout"

    def draw(self, run, width, height):
        """At most `height` lines of `width` columns; run has name, dir, summary, info, recipe, rows and system."""
        rows = [row for row in run["rows"] if math.isfinite(row.get("loss", math.nan))][-height:]
        if not rows:
            return "nothing yet"
        # YOURS: what there is to see.
        room = max(0, width - 22)  # beside the step and the number
        highest = max(row["loss"] for row in rows)
        text = Text()
        for row in rows:
            bar = "#" * round(room * max(0, row["loss"]) / (highest or 1))
            text.append(f"{row['step']:>9,.0f} ", style="dim")
            text.append(f"{row['loss']:>10.4g} ")
            text.append(bar + "\n", style="cyan")
        text.rstrip()
        return text
