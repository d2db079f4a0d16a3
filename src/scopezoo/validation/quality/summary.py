"""Sums and means over all cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scopezoo.packaging.quality import RESTORATION
from scopezoo.validation.quality.restoration import METHODS
from scopezoo.validation.quality.segmentation import OVERLAPS, object_scores

Figures = dict[str, Any]


def restoration_summary(rows: Sequence[Figures]) -> Figures:
    """Means over fields, of all and by specimen; of structures, sums of the counts."""
    specimens = sorted({row["specimen"] for row in rows})
    groups = {name: [row for row in rows if row["specimen"] == name] for name in specimens}
    return {
        **_common(rows),
        "has_pixel_size": all(row["has_pixel_size"] for row in rows),
        "better_than_input": sum(
            row["prediction"]["psnr_db"] > row["input"]["psnr_db"] for row in rows
        ),
        "means": {method: _means([row[method] for row in rows]) for method in METHODS},
        "worst": {
            method: {key: _extreme([row[method][key] for row in rows], key) for key in RESTORATION}
            for method in METHODS
        },
        "by_specimen": [
            {
                "specimen": name,
                "images": len(members),
                "unlike": _common(members)["unlike"],
                **{method: _means([row[method] for row in members]) for method in METHODS},
            }
            for name, members in groups.items()
        ]
        if len(groups) > 1
        else [],
        "structures": {
            method: _structures([row["structures"][method] for row in rows]) for method in METHODS
        },
        "consistency": _mean_of([row["consistency"] for row in rows]),
    }


def segmentation_summary(rows: Sequence[Figures]) -> Figures:
    """Scores of all objects together, as `stardist.matching.matching_dataset` has them, and the
    mean of the images' own average precision."""
    by_iou = []
    for i, iou in enumerate(OVERLAPS):
        own = [row["by_iou"][i] for row in rows]
        sums = {key: sum(one[key] for one in own) for key in ("tp", "fp", "fn", "iou_sum")}
        by_image = float(np.mean([one["average_precision"] for one in own]))
        scores = object_scores(**sums)
        by_iou.append({"iou": iou, **scores, "average_precision_by_image": by_image})
    true, found = (sum(row[key] for row in rows) for key in ("true_objects", "found_objects"))
    return {
        **_common(rows),
        "true_objects": true,
        "found_objects": found,
        "mean_count_error": float(
            np.mean([abs(row["found_objects"] - row["true_objects"]) for row in rows])
        ),
        "true_diameter_px": _median([row["true_diameter_px"] for row in rows]),
        "found_diameter_px": _median([row["found_diameter_px"] for row in rows]),
        "by_iou": by_iou,
    }


def _common(rows: Sequence[Figures]) -> Figures:
    known = [row["likeness"] for row in rows if row["likeness"]]
    return {
        "images": len(rows),
        "unlike": sum(one["is_unlike"] for one in known) if known else None,
    }


def _means(figures: Sequence[Figures]) -> Figures:
    return _mean_of([{key: one[key] for key in RESTORATION} for one in figures])


def _mean_of(figures: Sequence[Figures]) -> Figures:
    """Means by key, without what is None; None where all is."""
    found: Figures = {}
    for key in figures[0]:
        values = [one[key] for one in figures if one[key] is not None]
        found[key] = float(np.mean(values)) if values else None
    return found


def _extreme(values: Sequence[float | None], key: str) -> float | None:
    """The worst: the largest error or coarsest detail, the lowest of the others."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return max(known) if key in ("nrmse", "agreement_um") else min(known)


def _structures(figures: Sequence[Figures]) -> Figures:
    """Shares are of all structures together."""
    wanted, count = (sum(one[key] for one in figures) for key in ("wanted", "count"))
    found = sum((one["found"] or 0) * one["wanted"] for one in figures)
    invented = sum((one["invented"] or 0) * one["count"] for one in figures)
    return {
        "wanted": wanted,
        "count": count,
        "wanted_size": _median([one["wanted_size"] for one in figures]),
        "size": _median([one["size"] for one in figures]),
        "found": found / wanted if wanted else None,
        "invented": invented / count if count else None,
        "dice": _mean_of([{"dice": one["dice"]} for one in figures])["dice"],
    }


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None
