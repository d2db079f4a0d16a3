"""What no matrix can say of a transform: a smooth displacement, given on a coarse grid.

A stage drifts while it goes through the planes, a specimen swells: displacements of fractions of a
micrometre that change slowly from place to place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

Points = NDArray[Any]
Number = Annotated[float, Field(allow_inf_nan=False)]
Three = tuple[Number, Number, Number]
BACKWARD_ROUNDS = 20
BACKWARD_UM = 1e-4
"""The way back is known to this."""
MAX_NODES = 100_000
DECIMALS = 6


class Smooth(BaseModel):
    """Displacements to add, in the target, to where the matrix puts a place of the source.

    `displacements_um[k][j][i]` is (z, y, x) in µm at `origin_um` + (k, j, i) · `spacing_um`, places
    of the target. Between the nodes it is trilinear; beyond them it is that of the nearest place.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    origin_um: Three
    spacing_um: Three
    displacements_um: Annotated[list[list[list[Three]]], Field(min_length=1)]

    @classmethod
    def of(
        cls,
        displacement: Callable[[Points], Points],
        low_um: Points,
        high_um: Points,
        nodes: tuple[int, int, int],
    ) -> Smooth:
        """A displacement, a function of places (n, 3), on so many nodes from `low_um` to `high_um`.

        Along an axis without extent there is one.
        """
        extent = np.asarray(high_um) - low_um
        counts = np.where(extent > 1e-6, nodes, 1)
        spacing = np.where(counts > 1, extent / np.maximum(counts - 1, 1), 1.0)
        index = np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), axis=-1)
        found = displacement(low_um + index.reshape(-1, 3) * spacing)
        return cls(
            origin_um=tuple(np.round(low_um, DECIMALS).tolist()),
            spacing_um=tuple(np.round(spacing, DECIMALS).tolist()),
            displacements_um=np.round(found, DECIMALS).reshape(*counts, 3).tolist(),
        )

    @field_validator("spacing_um")
    @classmethod
    def _positive(cls, spacing: Three) -> Three:
        if min(spacing) <= 0:
            raise ValueError("must be above 0")
        return spacing

    @field_validator("displacements_um")
    @classmethod
    def _is_a_grid(cls, rows: list[list[list[Three]]]) -> list[list[list[Three]]]:
        heights = {len(plane) for plane in rows}
        widths = {len(row) for plane in rows for row in plane}
        if len(heights) != 1 or len(widths) != 1 or 0 in heights | widths:
            raise ValueError("must be a grid of z, y, x: planes of one size")
        if len(rows) * heights.pop() * widths.pop() > MAX_NODES:
            raise ValueError(f"has more than {MAX_NODES} nodes")
        return rows

    @cached_property
    def nodes_um(self) -> NDArray[np.float64]:
        """Displacements (Z, Y, X, 3)."""
        return np.array(self.displacements_um, np.float64)

    def at(self, points_um: Points) -> Points:
        """Displacements (…, 3) at places (…, 3) that the matrix gave."""
        last = np.array(self.nodes_um.shape[:3]) - 1
        index = np.clip((points_um - np.array(self.origin_um)) / self.spacing_um, 0, last)
        low = np.minimum(index.astype(np.intp), np.maximum(last - 1, 0))
        part = index - low
        high = np.minimum(low + 1, last)
        result = np.zeros(points_um.shape)
        for corner in np.ndindex(2, 2, 2):
            upper = np.array(corner, bool)
            node = np.where(upper, high, low)
            weight = np.where(upper, part, 1 - part).prod(axis=-1)
            result += weight[..., None] * self.nodes_um[node[..., 0], node[..., 1], node[..., 2]]
        return result

    def applied(self, points_um: Points) -> Points:
        """Places (…, 3) that the matrix gave, moved to where they really lie."""
        moved: Points = points_um + self.at(points_um)
        return moved

    def undone(self, points_um: Points) -> Points:
        """The places that `applied` moves to `points_um`, by fixed-point iteration."""
        before = points_um - self.at(points_um)
        for _ in range(BACKWARD_ROUNDS):
            after = points_um - self.at(before)
            change = float(np.abs(after - before).max(initial=0))
            before = after
            if change < BACKWARD_UM:
                break
        return before
