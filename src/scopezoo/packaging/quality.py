"""What an evaluation found, as rows for the description and as text for the card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scopezoo.packaging.image_quality import image_rows, image_text
from scopezoo.packaging.markdown import table
from scopezoo.packaging.metadata import Metadata

PUBLISHED_STARDIST = (0.864, 0.80, 0.69, 0.45, 0.12)
RESTORATION = {
    "psnr_db": ("PSNR (dB)", "peak signal-to-noise ratio in dB", 1),
    "ssim": ("SSIM", "structural similarity", 3),
    "micro_ssim": ("MicroSSIM", "microscopy-aware structural similarity", 3),
    "nrmse": ("NRMSE", "root of the mean squared error over the data range", 4),
    "pearson_r": ("r", "Pearson's correlation", 3),
    "agreement_um": ("detail (µm)", "finest period at which it agrees with the target", 2),
}
"""Short and long name, and decimals, by key of the table."""
MODEL = "this model"


def is_restoration(evaluation: Mapping[str, Any]) -> bool:
    """Whether an evaluation compares images, not objects."""
    return "reference" in evaluation


def evaluation_rows(evaluation: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """(short name, long name, value) of each measured quality of the model."""
    if "kind" in evaluation:
        return image_rows(evaluation)
    if is_restoration(evaluation):
        own = [row for row in evaluation["table"] if row["method"] == MODEL]
        return [
            (f"{short}, {row['group']}", f"{long}, specimens {row['group']}", float(row[key]))
            for row in own
            for key, (short, long, _) in RESTORATION.items()
            if row[key] is not None
        ]
    return [
        (
            f"AP {row['iou']:g}",
            f"average precision TP / (TP + FP + FN) of objects, IoU at least {row['iou']:g}",
            float(row["average_precision"]),
        )
        for row in evaluation["table"]
    ]


def quality_text(metadata: Metadata, evaluation: Mapping[str, Any]) -> str:
    """Paragraphs with the tables and what they mean."""
    if "kind" in evaluation:
        return image_text(evaluation)
    if is_restoration(evaluation):
        return _restoration_text(evaluation)
    return _objects_text(metadata, evaluation)


def _objects_text(metadata: Metadata, evaluation: Mapping[str, Any]) -> str:
    is_stardist = any(
        step.id == "stardist_postprocessing"
        for output in metadata.outputs
        for step in output.postprocessing
    )
    is_dsb2018 = evaluation["dataset"] == "dsb2018" and len(evaluation["table"]) == 5
    compared = is_stardist and is_dsb2018
    unlike = evaluation.get("unlike")
    rows = []
    for i, (short, _, value) in enumerate(evaluation_rows(evaluation)):
        published = [f"about {PUBLISHED_STARDIST[i]:g}"] if compared else []
        other = [f"{unlike['table'][i]['average_precision']:.3f}"] if unlike else []
        rows.append([short, f"{value:.3f}", *published, *other])
    header = ["measure", "this model", *(["StarDist, as published"] if compared else [])]
    header += ["on specimens unlike training"] if unlike else []
    lines = [
        f"On the {evaluation['images']} images ({evaluation['objects']} objects) of the "
        f"{evaluation['part']} part of {evaluation['dataset']}, which training did not see. AP is "
        "the average precision TP / (TP + FP + FN) of objects that overlap with an annotated one "
        "by at least the intersection over union that is given.",
        table(header, rows),
    ]
    if unlike:
        lines.append(_by_specimen(evaluation, unlike))
    if compared:
        lines.append(
            "The published figures (Schmidt et al. 2018) are of another selection and split of the "
            "same data, so they show the order of size and no ranking."
        )
    thresholds = evaluation.get("thresholds")
    if thresholds:
        values = ", ".join(f"{name} {value:g}" for name, value in thresholds.items())
        lines.append(
            f"Thresholds ({values}) were tuned on the "
            f"{evaluation.get('thresholds_tuned_on', 'validation')} part alone."
        )
    return "\n\n".join(lines)


def _by_specimen(like: Mapping[str, Any], unlike: Mapping[str, Any]) -> str:
    """AP 0.5 of each specimen of the test part."""
    rows = [
        [specimen, group, f"{value:.3f}"]
        for group, found in (("like training", like), ("unlike training", unlike))
        for specimen, value in found["average_precision_by_stratum"].items()
    ]
    return (
        f"The last column is of {unlike['images']} more images ({unlike['objects']} objects), "
        "which differ from training on purpose. Objects that no border of the image cuts are found "
        f"(IoU 0.5) {like['whole_objects_found']} times of {like['whole_objects']}, in the images "
        f"unlike training {unlike['whole_objects_found']} of {unlike['whole_objects']}. AP 0.5 by "
        "specimen:\n\n" + table(["specimen", "", "AP 0.5"], rows)
    )


def _restoration_text(evaluation: Mapping[str, Any]) -> str:
    parts = [
        f"On {evaluation['images']} images of the {evaluation['part']} part of "
        f"{evaluation['dataset']}, specimens that training did not see, against the "
        f"{evaluation['reference']} on the input's grid. Every image is first given the scale and "
        "offset that fit the target best, as in the CARE paper; the data range is that from the "
        "0.1st to the 99.9th percentile of the target. SSIM and MicroSSIM are means over planes. "
        "Detail is the finest period at which the Fourier ring correlation with the target is "
        "above 1/7; smaller is better, and two pixels are the finest that the grid can hold."
    ]
    for group in dict.fromkeys(row["group"] for row in evaluation["table"]):
        members = [row for row in evaluation["table"] if row["group"] == group]
        header = ["method", *(short for short, _, _ in RESTORATION.values())]
        rows = [[row["method"], *_cells(row)] for row in members]
        parts += [
            f"Means over {members[0]['images']} images of specimens {group}:",
            table(header, rows),
        ]
    figure = evaluation.get("figure")
    if figure:
        parts.append(
            f"![Slices and profiles of each method]({figure})\n\nA plane, a section along z, and "
            "the profile along the yellow line, for a field of every test specimen. Grey levels "
            "run from the median to the 99.8th percentile of each image."
        )
    return "\n\n".join(parts)


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [
        "–" if row[key] is None else f"{row[key]:.{decimals}f}"
        for key, (_, _, decimals) in RESTORATION.items()
    ]
