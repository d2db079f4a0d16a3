"""What the evaluation of an image recipe's model found, as text for the card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scopezoo.packaging.markdown import table
from scopezoo.packaging.synthesis_quality import synthesis_rows, synthesis_text
from scopezoo.packaging.tuned_quality import tuned_rows, tuned_text

Columns = Mapping[str, tuple[str, str, int]]
MODEL = "this model"
DENOISING: Columns = {
    "psnr_given_db": (
        "PSNR as given (dB)",
        "peak signal-to-noise ratio of the grey levels given",
        1,
    ),
    "psnr_db": ("PSNR (dB)", "peak signal-to-noise ratio in dB", 1),
    "ssim": ("SSIM", "structural similarity", 3),
    "micro_ssim": ("MicroSSIM", "microscopy-aware structural similarity", 3),
    "pearson_r": ("r", "Pearson's correlation", 3),
    "agreement_um": ("detail (µm)", "finest period at which it agrees with the target", 2),
}
ON_REAL_IMAGES: Columns = {
    **DENOISING,
    "agreement_um": ("detail (px)", "finest period at which it agrees with the target", 2),
}
LABELFREE: Columns = {
    "pearson_r": ("r", "Pearson's correlation with the fluorescence without noise", 3),
    "pearson_r_noisy": (
        "r, measured",
        "Pearson's correlation with the fluorescence as measured",
        3,
    ),
    "normalised_error": ("normalised error", "mean squared error over the target's variance", 3),
    "psnr_db": ("PSNR (dB)", "peak signal-to-noise ratio in dB", 1),
    "ssim": ("SSIM", "structural similarity", 3),
}
COLUMNS = {"denoising": DENOISING, "label-free": LABELFREE}
"""Short and long name, and decimals, by key of the table; by kind of evaluation."""


OTHER_ROWS = {"synthesis": synthesis_rows, "tuned": tuned_rows}
"""By kind of evaluation, where the table is no list of methods."""


def image_rows(evaluation: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """(short name, long name, value) of each measured quality of the model."""
    if evaluation["kind"] in OTHER_ROWS:
        return OTHER_ROWS[evaluation["kind"]](evaluation)
    columns = COLUMNS[evaluation["kind"]]
    return [
        (f"{short}, {row['group']}", f"{long}, {row['group']}", float(row[key]))
        for row in evaluation["table"]
        if row["method"] == MODEL
        for key, (short, long, _) in columns.items()
        if row[key] is not None
    ]


def image_text(evaluation: Mapping[str, Any]) -> str:
    """Paragraphs with the tables and what they mean."""
    texts = {
        "denoising": _denoising_text,
        "label-free": _labelfree_text,
        "synthesis": synthesis_text,
        "tuned": tuned_text,
    }
    return "\n\n".join(texts[evaluation["kind"]](evaluation))


def _denoising_text(evaluation: Mapping[str, Any]) -> list[str]:
    parts = [
        f"On {evaluation['planes']} planes of each of the {evaluation['images']} stacks of the "
        f"{evaluation['part']} part of {evaluation['dataset']}, specimens that training did not "
        f"see, against the {evaluation['reference']}. The test images like those of training are "
        "sorted into thirds by their noise; those unlike training show other mixtures of "
        "structures. PSNR as given is of grey levels as they are; before all other figures every "
        "image gets the scale and offset that fit best, as in the CARE paper, which turns a noisy "
        "image almost into a grey plane. The data range is that from the 0.1st to the 99.9th "
        "percentile of the target. Detail is the finest period at which the Fourier ring "
        "correlation with the target is above 1/7; two pixels are the finest that the grid holds. "
        "BM3D works plane by plane after variance stabilisation, and is told the true gain, offset "
        "and read noise.",
        *_tables(evaluation["table"], DENOISING),
        f"![Images of each method]({evaluation['figure']})\n\nA part of a plane for each group: "
        "noisy, denoised, without noise, in the same grey levels.",
    ]
    real = evaluation.get("real")
    if real:
        parts += [
            "## Real noisy images\n\n"
            f"On the middle of {real['images']} fields of the test set of the "
            "fluorescence microscopy denoising dataset (Zhang et al., CVPR 2019; mean of 50 "
            "exposures as truth), which is of other microscopes and nothing was trained on. BM3D's "
            "noise level is estimated from each image.",
            *_tables(real["table"], ON_REAL_IMAGES),
        ]
    return parts


def _labelfree_text(evaluation: Mapping[str, Any]) -> list[str]:
    return [
        f"On the {evaluation['images']} stacks of the {evaluation['part']} part of "
        f"{evaluation['dataset']}, specimens that training did not see, against the "
        f"{evaluation['reference']}. The mean profile is what training images show in each plane "
        "on average. The normalised error is the mean squared error of grey levels as they are "
        "over the variance of the measured fluorescence: a blank prediction (the target's mean) "
        "has 1. Before PSNR and SSIM the image gets the scale and offset that fit best.",
        *_tables(evaluation["table"], LABELFREE),
        f"![Bright field, prediction and fluorescence]({evaluation['figure']})\n\nA part of the "
        "middle plane for a field of each test specimen: bright field, prediction, fluorescence.",
    ]


def _tables(rows: Sequence[Mapping[str, Any]], columns: Columns) -> list[str]:
    header = ["method", *(short for short, _, _ in columns.values())]
    parts = []
    for group in dict.fromkeys(row["group"] for row in rows):
        members = [row for row in rows if row["group"] == group]
        cells = [[row["method"], *_cells(row, columns)] for row in members]
        count = members[0]["images"]
        title = f"{group[0].upper()}{group[1:]} ({count} image{'s' if count > 1 else ''}):"
        parts += [title, table(header, cells)]
    return parts


def _cells(row: Mapping[str, Any], columns: Columns) -> list[str]:
    return [
        "–" if row[key] is None else f"{row[key]:.{decimals}f}"
        for key, (_, _, decimals) in columns.items()
    ]
