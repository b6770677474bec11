"""How curves are looked at: one for all charts, so that they show the same part of the run."""

from __future__ import annotations

from dataclasses import dataclass

from difftool.tui.series import AXES, Axis

__all__ = ["AXES", "CLOSEST", "SMOOTH", "View"]

SMOOTH = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)
"""Shares of what is shown that the smooth line looks back."""
CLOSEST = 1 / 4096


@dataclass
class View:
    """Axis, window and smoothing."""

    axis: Axis = "step"
    log: bool | None = None  # None: as each chart likes it best
    smooth: int = 2
    zoom: float = 1.0  # share of the whole that is shown
    right: float = 1.0  # where its right edge is; 1 follows the run
    frozen: bool = False

    def window(self, span: tuple[float, float]) -> tuple[float, float]:
        """The part of the axis that is shown."""
        lo, hi = span
        width = hi - lo
        end = lo + width * self.right
        return end - width * self.zoom, end

    def magnify(self, factor: float) -> None:
        """Closer, or farther off, about the middle; at the right edge the edge stays."""
        zoom = min(1.0, max(CLOSEST, self.zoom / factor))
        if self.right < 1:
            self.right += (zoom - self.zoom) / 2
        self.zoom = zoom
        self._hold()

    def pan(self, share: float) -> None:
        """Sideways, by a share of what is shown."""
        self.right += share * self.zoom
        self._hold()

    def reset(self) -> None:
        """All of it, following the run."""
        self.zoom, self.right, self.frozen = 1.0, 1.0, False

    def _hold(self) -> None:
        self.right = min(1.0, max(self.zoom, self.right))

    @property
    def words(self) -> str:
        """What is not as it is at first."""
        said = [f"by {self.axis}"] if self.axis != "step" else []
        if self.zoom < 1:
            said.append(f"{self.zoom:.3g} of it shown" if self.zoom < 0.01 else f"{self.zoom:.0%} of it shown")
        if self.frozen:
            said.append("frozen")
        return ", ".join(said)
