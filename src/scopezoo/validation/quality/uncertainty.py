"""How well the spread of test-time augmentation tells where a result is wrong.

A useful spread is large where the error is: both rise together (correlation), and the error grows
from the pixels of the smallest spread to those of the largest (reliability table).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTILES = 10
MOST_PX = 1_000_000
"""Pixels of an image that are compared at most, drawn at random but the same each time."""


def tracking(
    prediction: NDArray[Any], spread: NDArray[Any], target: NDArray[Any]
) -> dict[str, Any]:
    """Figures for arrays of one shape: a result, its spread in the same units, and the truth.

    Pearson's and Spearman's correlation of spread and absolute error (None where one of them is
    constant), and for each tenth of the pixels by spread, from small to large, the mean spread, the
    mean absolute error and the root of the mean squared error.
    """
    values = np.asarray(spread, np.float64).ravel()
    errors = np.abs(
        np.asarray(prediction, np.float64).ravel() - np.asarray(target, np.float64).ravel()
    )
    if values.size > MOST_PX:
        drawn = np.random.default_rng(0).choice(values.size, MOST_PX, replace=False)
        values, errors = values[drawn], errors[drawn]
    order = np.argsort(values, kind="stable")
    return {
        "pixels": int(values.size),
        "pearson_r": _correlation(values, errors),
        "spearman_r": _correlation(_ranks(values), _ranks(errors)),
        "mean_spread": float(values.mean()),
        "mean_error": float(errors.mean()),
        "by_spread": [
            {
                "spread": float(values[part].mean()),
                "mean_error": float(errors[part].mean()),
                "rms_error": float(np.sqrt(np.mean(errors[part] ** 2))),
            }
            for part in np.array_split(order, min(QUANTILES, values.size))
        ],
    }


def tracking_summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over images; of the tables, over those that have all tenths."""
    whole = [row["by_spread"] for row in rows if len(row["by_spread"]) == QUANTILES]
    return {
        "images": len(rows),
        **{key: _mean([row[key] for row in rows]) for key in ("pearson_r", "spearman_r")},
        "mean_spread": _mean([row["mean_spread"] for row in rows]),
        "mean_error": _mean([row["mean_error"] for row in rows]),
        "by_spread": [
            {
                key: float(np.mean([table[i][key] for table in whole]))
                for key in ("spread", "mean_error", "rms_error")
            }
            for i in range(QUANTILES)
        ]
        if whole
        else [],
    }


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    if a.size < 2 or a.min() == a.max() or b.min() == b.max():
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.stats import rankdata

    return np.asarray(rankdata(values), np.float64)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
