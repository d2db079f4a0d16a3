"""How long a job still takes, by how fast it was lately."""

from __future__ import annotations

from collections import deque

WINDOW = 20
"""Tiles that the rate is of: old ones were run when the machine had other things to do."""


class TimeLeft:
    """Told of each tile, it gives the seconds left. Times are those of one steady clock, in s."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque(maxlen=WINDOW + 1)
        self._total = 0

    def mark(self, now_s: float, done: int, total: int) -> None:
        """`done` of `total` tiles are finished."""
        self._marks.append((now_s, done))
        self._total = total

    def seconds(self, now_s: float) -> float | None:
        """From now to the end of the last tile; None before there is a rate."""
        if len(self._marks) < 2:
            return None
        (first_s, first), (last_s, last) = self._marks[0], self._marks[-1]
        per_tile_s = (last_s - first_s) / max(1, last - first)
        return max(0.0, per_tile_s * (self._total - last) - (now_s - last_s))
