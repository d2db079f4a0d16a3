"""Objects that were found against those that there are: average precision."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

OVERLAPS = (0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass
class Tally:
    """Matches of many images with their true labels, for each IoU of `OVERLAPS`."""

    counts: list[NDArray[np.int64]]
    """Per image: (IoU, 3) true positives, false positives, false negatives."""
    whole: list[tuple[int, int]] = field(default_factory=list)
    """Per image: objects that no border cuts, and those of them that are found."""

    def average_precision(self) -> NDArray[np.float64]:
        """TP / (TP + FP + FN) of all images' objects together, as in the StarDist paper."""
        total = np.sum(self.counts, axis=0)
        return np.asarray(total[:, 0] / np.maximum(total.sum(axis=1), 1))

    def table(self) -> list[dict[str, float]]:
        """One row for each IoU; `average_precision_by_image` is the mean of the images' own."""
        total = np.sum(self.counts, axis=0)
        by_image = [c[:, 0] / np.maximum(c.sum(axis=1), 1) for c in self.counts]
        rows = zip(
            OVERLAPS,
            self.average_precision(),
            np.mean(by_image, axis=0),
            total[:, 0] / np.maximum(total[:, 0] + total[:, 1], 1),
            total[:, 0] / np.maximum(total[:, 0] + total[:, 2], 1),
            strict=True,
        )
        names = ("iou", "average_precision", "average_precision_by_image", "precision", "recall")
        return [
            {name: round(float(value), 4) for name, value in zip(names, row, strict=True)}
            for row in rows
        ]


def count_matches(truth: NDArray[np.int32], found: NDArray[np.int32]) -> NDArray[np.int64]:
    """(IoU, 3): true positives, false positives and false negatives of one label image."""
    from stardist.matching import matching

    results = matching(truth, found, thresh=OVERLAPS)
    return np.array([(r.tp, r.fp, r.fn) for r in results], dtype=np.int64)


def count_whole(truth: NDArray[np.int32], found: NDArray[np.int32]) -> tuple[int, int]:
    """Objects of a label image that do not reach its border, and those found at IoU 0.5."""
    from stardist.matching import matching

    inner = truth[tuple(slice(1, -1) for _ in truth.shape)]
    sizes = np.bincount(truth.ravel())
    inside = np.bincount(inner.ravel(), minlength=len(sizes)) == sizes
    whole = set(np.flatnonzero(inside & (sizes > 0))) - {0}
    result = matching(truth, found, thresh=OVERLAPS[0], report_matches=True)
    hit = {result.matched_pairs[i][0] for i in result.matched_tps}
    return len(whole), len(whole & hit)
