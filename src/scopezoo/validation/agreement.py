"""How far two results of a model are apart, and whether that is within what the package states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.store.description import Description


@dataclass(frozen=True)
class Tolerance:
    """An element mismatches where |actual - expected| > absolute + relative * |expected|."""

    relative: float = 1e-3
    absolute: float = 1e-3
    mismatched_ppm: float = 100.0


@dataclass(frozen=True)
class Agreement:
    """Differences over all elements; `problem` says why no figure could be had."""

    max_abs: float = float("nan")
    max_rel: float = float("nan")
    mismatched_ppm: float = float("nan")
    problem: str | None = None

    def within(self, tolerance: Tolerance) -> bool:
        return self.problem is None and self.mismatched_ppm <= tolerance.mismatched_ppm

    def measured(self) -> dict[str, float]:
        if self.problem:
            return {}
        return {
            "max_abs": self.max_abs,
            "max_rel": self.max_rel,
            "mismatched_ppm": self.mismatched_ppm,
        }


def compare(actual: NDArray[Any], expected: NDArray[Any], tolerance: Tolerance) -> Agreement:
    """Compare element by element, in float64, as bioimageio.core does."""
    if actual.shape != expected.shape:
        return Agreement(problem=f"the shape is {actual.shape}, expected {expected.shape}")
    a, b = actual.astype(np.float64), expected.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if not np.isfinite(a[~same]).all():
        return Agreement(problem="there are values that are not finite (NaN or infinite)")
    with np.errstate(invalid="ignore"):
        difference = np.where(same, 0.0, np.abs(a - b))
        relative = np.where(same, 0.0, difference / (np.abs(b) + 1e-6))
        mismatched = ~same & ~(difference <= tolerance.absolute + tolerance.relative * np.abs(b))
    return Agreement(
        max_abs=float(difference.max(initial=0)),
        max_rel=float(relative.max(initial=0)),
        mismatched_ppm=float(mismatched.mean() * 1e6) if a.size else 0.0,
    )


def stated_tolerance(description: Description, output: str, weights_format: str) -> Tolerance:
    """The first entry of `config.bioimageio.reproducibility_tolerance` for this output and format.

    Without one, the defaults of the specification. Entries that are no mapping are left out; the
    specification's own ranges are enforced by the level that judges the format.
    """
    for entry in _entries(description.rdf):
        outputs, formats = entry.get("output_ids"), entry.get("weights_formats")
        if (not outputs or output in outputs) and (not formats or weights_format in formats):
            default = Tolerance()
            return Tolerance(
                float(entry.get("relative_tolerance", default.relative)),
                float(entry.get("absolute_tolerance", default.absolute)),
                float(entry.get("mismatched_elements_per_million", default.mismatched_ppm)),
            )
    return Tolerance()


def _entries(rdf: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    config = rdf.get("config")
    ours = config.get("bioimageio") if isinstance(config, dict) else None
    entries = ours.get("reproducibility_tolerance") if isinstance(ours, dict) else None
    return [e for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []
