"""One image of a segmentation: which annotated objects were found, and what else was."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.errors import IncompatibleImageError, MissingDependencyError
from scopezoo.image import Image, arranged
from scopezoo.validation.quality.cases import LabelCase
from scopezoo.validation.quality.model import Model, objects_of, one_channel
from scopezoo.validation.quality.pictures import Picture, contrast, outlined, window
from scopezoo.validation.quality.rows import Row, row_start
from scopezoo.validation.quality.uncertainty import tracking

OVERLAPS = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Intersection over union from which an object counts as found."""
MOST_PAIRS = 400_000_000
"""Annotated times found objects; their table of overlaps is in memory."""
MATCHED, MISSED, INVENTED = (90, 200, 250), (255, 160, 30), (255, 60, 200)
"""Light blue, orange, magenta."""


def measure_labels(case: LabelCase, model: Model) -> Row:
    """All figures and pictures of an image.

    Raises what `predict` raises, IncompatibleImageError for an output that does not fit the mask,
    MissingDependencyError without stardist.
    """
    truth = one_channel(case.mask, "the mask").astype(np.int64)
    with model.predicted(case) as given:
        warnings, found = given.warnings, objects_of(given.image)
        spread = None if given.spread is None else _largest_spread(given.spread)
    if found.shape != truth.shape:
        raise IncompatibleImageError(
            f"the model's output is {found.shape}, the mask {truth.shape}: expected the same"
        )
    matches = match_objects(truth, found)
    figures = {
        **row_start(model.likeness(case), warnings),
        "true_objects": matches["true_objects"],
        "found_objects": matches["found_objects"],
        "true_diameter_px": median_diameter_px(truth),
        "found_diameter_px": median_diameter_px(found),
        "by_iou": matches["by_iou"],
    }
    if spread is not None:
        figures["uncertainty"] = tracking(found > 0, spread, truth > 0)
    mean = float(np.mean([one["average_precision"] for one in matches["by_iou"]]))
    return Row(case.id, -mean, figures, _pictures(case, truth, found, matches))


def _largest_spread(spread: Image) -> NDArray[Any]:
    """ZYX: of probabilities of several classes, that which wavers most."""
    pixels = arranged(spread.read(), tuple(spread.axes), ("T", "Z", "Y", "X", "C"))
    return np.asarray(pixels[0].max(axis=-1))


def match_objects(truth: NDArray[Any], found: NDArray[Any]) -> dict[str, Any]:
    """Matches of two label images by `stardist.matching`, for each IoU of `OVERLAPS`.

    `matched` has the labels (true, found) that match at the first IoU.
    """
    try:
        from stardist.matching import matching, relabel_sequential
    except ImportError as error:
        raise MissingDependencyError("measuring a segmentation", "stardist") from error
    true_count, found_count = (np.unique(one[one > 0]).size for one in (truth, found))
    if true_count * found_count > MOST_PAIRS:
        raise IncompatibleImageError(
            f"{true_count} annotated and {found_count} found objects are too many to compare at "
            "once: cut the image into parts"
        )
    # with labels 1, 2, … the table of overlaps has no empty rows
    true_labels, _, true_before = relabel_sequential(truth)
    found_labels, _, found_before = relabel_sequential(found)
    results = matching(true_labels, found_labels, thresh=OVERLAPS, report_matches=True)
    first = results[0]
    matched = [
        (int(true_before[pair[0]]), int(found_before[pair[1]]))
        for i, pair in enumerate(first.matched_pairs)
        if i in set(first.matched_tps)
    ]
    return {
        "true_objects": true_count,
        "found_objects": found_count,
        "by_iou": [_figures(one) for one in results],
        "matched": matched,
    }


def _figures(result: Any) -> dict[str, Any]:
    counts = {"tp": int(result.tp), "fp": int(result.fp), "fn": int(result.fn)}
    iou_sum = float(result.mean_matched_score) * counts["tp"]
    return {"iou": float(result.thresh), **object_scores(**counts, iou_sum=iou_sum)}


def object_scores(tp: int, fp: int, fn: int, iou_sum: float) -> dict[str, Any]:
    """Scores from counts: true positives, false positives, false negatives, and the sum of the
    IoUs of the true positives.

    Average precision is TP / (TP + FP + FN), as of the StarDist paper; panoptic quality is by
    Kirillov et al., CVPR 2019. Where there is no object and none was found, all is 1.
    """

    def share(part: float, whole: float) -> float:
        return part / whole if whole else 1.0

    return {
        "average_precision": share(tp, tp + fp + fn),
        "precision": share(tp, tp + fp),
        "recall": share(tp, tp + fn),
        "f1": share(2 * tp, 2 * tp + fp + fn),
        "panoptic_quality": share(iou_sum, tp + fp / 2 + fn / 2),
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "iou_sum": iou_sum,
    }


def median_diameter_px(labels: NDArray[Any]) -> float | None:
    """Of circles (spheres) of the objects' areas (volumes) ZYX; None without objects."""
    _, sizes = np.unique(labels[labels > 0], return_counts=True)
    if not sizes.size:
        return None
    diameters = 2 * np.sqrt(sizes / np.pi) if labels.shape[0] == 1 else np.cbrt(6 * sizes / np.pi)
    return float(np.median(diameters))


def _pictures(
    case: LabelCase, truth: NDArray[Any], found: NDArray[Any], matches: dict[str, Any]
) -> list[Picture]:
    true_matched = np.array([pair[0] for pair in matches["matched"]], dtype=np.int64)
    found_matched = np.array([pair[1] for pair in matches["matched"]], dtype=np.int64)
    missed = np.where(np.isin(truth, true_matched), 0, truth)
    invented = np.where(np.isin(found, found_matched), 0, found)
    wrong = (missed > 0).sum(axis=(1, 2)) + (invented > 0).sum(axis=(1, 2))
    z = int(wrong.argmax()) if wrong.any() else len(truth) // 2
    stack = case.image.size("Z") > 1
    pixels = case.image.read(
        **{axis: slice(at, at + 1) for axis, at in (("Z", z), ("C", 0), ("T", 0))}
    )
    plane = pixels.reshape(case.image.size("Y"), case.image.size("X"))
    shown = _shown(plane.shape, missed[z], invented[z])
    picture = contrast(plane)[shown]
    layers = [one[z][shown] for one in (truth, missed, found, invented)]
    true_plane, missed_plane, found_plane, invented_plane = layers
    where = f", plane {z + 1} of {len(truth)}" if stack else ""
    dark = np.asarray(picture // 2, np.uint8)
    return [
        Picture(picture, "image" + where),
        outlined(picture, {MATCHED: true_plane, MISSED: missed_plane}, "annotated"),
        outlined(picture, {MATCHED: found_plane, INVENTED: invented_plane}, "prediction"),
        outlined(dark, {MISSED: missed_plane, INVENTED: invented_plane}, "error"),
    ]


def _shown(
    shape: tuple[int, ...], missed: NDArray[Any], invented: NDArray[Any]
) -> tuple[slice, slice]:
    """Around the middle of what is wrong; of a large image it is a part."""
    rows, columns = np.nonzero((missed > 0) | (invented > 0))
    centre = (
        (int(np.median(rows)), int(np.median(columns)))
        if rows.size
        else (shape[0] // 2, shape[1] // 2)
    )
    return window((shape[0], shape[1]), centre)
