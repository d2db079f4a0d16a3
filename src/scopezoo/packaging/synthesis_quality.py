"""What the evaluation of synthetic images found, as rows for the description and as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scopezoo.packaging.markdown import table


def synthesis_rows(evaluation: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """(short name, long name, value) of what networks find that learned from each set of images.

    Short names are short: "20r+240s" are 20 real and 240 synthetic images.
    """
    return [
        (
            f"AP {row['iou']:g}, {row['real_images']}r+{row['synthetic_images']}s",
            f"average precision TP / (TP + FP + FN) of objects, IoU at least {row['iou']:g}, of a "
            f"StarDist network trained on {_learned_from(row)}",
            float(row["average_precision"]),
        )
        for row in evaluation["table"]
    ]


def synthesis_text(evaluation: Mapping[str, Any]) -> list[str]:
    """Paragraphs with the table and what it means."""
    by_set: dict[str, list[Mapping[str, Any]]] = {}
    for row in evaluation["table"]:
        by_set.setdefault(_learned_from(row), []).append(row)
    overlaps = [f"AP {row['iou']:g}" for row in next(iter(by_set.values()))]
    rows = [
        [title, *(f"{row['average_precision']:.3f}" for row in members)]
        for title, members in by_set.items()
    ]
    return [
        "A small StarDist network (`segmentation.yaml` beside the recipe) was trained on each of "
        "these sets, for the same number of steps from the same seed, and tested on the "
        f"{evaluation['images']} real images ({evaluation['objects']} nuclei) of the "
        f"{evaluation['part']} part of {evaluation['dataset']}, which neither it nor the generator "
        "learned from. Synthetic images are made from label images of the training part, with the "
        "looks of the nuclei dealt out anew; with real ones they make up half of what is learned "
        "from. Thresholds (probability 0.5, overlap 0.4) are tuned "
        "on nothing. AP is TP / (TP + FP + FN) of objects that overlap with an annotated one by at "
        "least the intersection over union that is given.",
        table(["trained on", *overlaps], rows),
        "The generator itself learned from all annotated images of the training part: synthetic "
        "images hand on what those hold, and do not replace annotating. The trainings are short: "
        "compare with what all real images give in as many steps. One training each; "
        "differences of a few hundredths can be chance.",
        "Over the nuclei of the test part, the brightness that a number asks for and that of the "
        f"synthetic image correlate with r = {evaluation['brightness_r']:.2f}, the unevenness with "
        f"r = {evaluation['unevenness_r']:.2f} (Pearson).",
        f"![Label images and what is made of them]({evaluation['figure']})\n\nAbove label images "
        "of simulated shapes, below what is made of them. The last two are not what it is for.",
    ]


def _learned_from(row: Mapping[str, Any]) -> str:
    counts = {kind: row[f"{kind}_images"] for kind in ("real", "synthetic")}
    return " and ".join(f"{count} {kind}" for kind, count in counts.items() if count) + " images"
