"""The sentences and tables of a report, for its HTML and its Markdown alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scopezoo.packaging.quality import RESTORATION
from scopezoo.validation.quality.consistency import STRONG
from scopezoo.validation.quality.measuring import Quality

NONE = "–"
METHOD_NAMES = {"prediction": "model", "input": "raw input"}


@dataclass(frozen=True)
class Table:
    """Cells are plain text; `note` says what the columns are."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def headline(quality: Quality) -> list[str]:
    """What a reader in a hurry must know."""
    is_restored = quality.kind == "restoration"
    said = _restored(quality.summary) if is_restored else _segmented(quality.summary)
    return [*said, *_tracked(quality)]


def caveats(quality: Quality) -> list[str]:
    """What limits the figures."""
    found = [*quality.notes]
    unlike, images = quality.summary["unlike"], quality.summary["images"]
    if unlike is None:
        found.append(
            "The package does not tell what its training images look like, so nothing is said of "
            "images unlike them."
        )
    elif unlike:
        found.append(
            f"{unlike} of {images} images are unlike those that the model was trained on (marked "
            "below); expect less of it there."
        )
    else:
        found.append(f"All {images} images look like those that the model was trained on.")
    if quality.left_out:
        found.append(f"{len(quality.left_out)} images were left out, with the reason at the end.")
    if any(row.figures.get("is_whole") is False for row in quality.rows):
        found.append("Of large fields the middle was measured.")
    return found


def tables(quality: Quality) -> list[Table]:
    """All sums."""
    is_restored = quality.kind == "restoration"
    own = _restoration_tables(quality) if is_restored else [_overlap_table(quality.summary)]
    return own + ([_uncertainty_table(quality)] if "uncertainty" in quality.summary else [])


def subject(quality: Quality) -> str:
    """On what it was measured."""
    part = f", {quality.part} part" if quality.part else ", all images"
    return f"{quality.dataset}{part}"


def number(value: float | None, decimals: int) -> str:
    return NONE if value is None else f"{value:.{decimals}f}"


def percent(value: float | None, decimals: int = 0) -> str:
    return NONE if value is None else f"{100 * value:.{decimals}f} %"


def _restored(summary: dict[str, Any]) -> list[str]:
    means = summary["means"]
    gain = means["prediction"]["psnr_db"] - means["input"]["psnr_db"]
    structures = summary["structures"]["prediction"]
    said = [
        f"The result is nearer to the target than the raw input in "
        f"{summary['better_than_input']} of {summary['images']} fields; its PSNR is "
        f"{abs(gain):.1f} dB {'higher' if gain >= 0 else 'lower'} on average."
    ]
    if structures["wanted"]:
        said.append(
            f"Of {structures['wanted']} bright structures of the targets "
            f"{percent(structures['found'])} are in the results; of {structures['count']} in the "
            f"results {percent(structures['invented'], 1)} are not in the targets."
        )
    consistent = summary["consistency"]
    said.append(
        f"Blurred again, the results have light that their inputs lack in "
        f"{percent(consistent['invented'], 2)} of places; for the targets themselves it is "
        f"{percent(consistent['target_invented'], 2)}."
    )
    return said


def _segmented(summary: dict[str, Any]) -> list[str]:
    first = summary["by_iou"][0]
    true, found = summary["true_objects"], summary["found_objects"]
    change = f" ({100 * (found - true) / true:+.1f} %)" if true and found != true else ""
    return [
        f"Annotated are {true} objects in {summary['images']} images; the model found {found}"
        f"{change}, and miscounts an image by {summary['mean_count_error']:.1f} on average.",
        f"At an overlap (IoU) of {first['iou']:g}, {percent(first['recall'], 1)} of the annotated "
        f"objects are found, and {percent(first['precision'], 1)} of what is found is annotated.",
        f"The median diameter is {number(summary['found_diameter_px'], 1)} px in the results and "
        f"{number(summary['true_diameter_px'], 1)} px in the annotation.",
    ]


def _tracked(quality: Quality) -> list[str]:
    """How well the uncertainty tells where the result is wrong, where that was measured."""
    found = quality.summary.get("uncertainty")
    if found is None:
        return []
    steps = found["by_spread"]
    if found["spearman_r"] is None or not steps:
        return [
            "The uncertainty (test-time augmentation) is the same everywhere: it tells nothing."
        ]
    low, high = (percent(steps[i]["mean_error"], 2) for i in (0, -1))
    is_restored = quality.kind == "restoration"
    error = (
        "mean error, as a share of the target's range," if is_restored else "share of wrong pixels"
    )
    return [
        f"The {error} is {high} where the uncertainty (test-time augmentation) is in its highest "
        f"tenth, and {low} where it is in its lowest; their rank correlation is "
        f"{found['spearman_r']:.2f}."
    ]


def _uncertainty_table(quality: Quality) -> Table:
    found = quality.summary["uncertainty"]
    is_restored = quality.kind == "restoration"
    columns = {"spread": "mean spread"} | (
        {"mean_error": "mean error", "rms_error": "root mean square error"}
        if is_restored
        else {"mean_error": "share of wrong pixels"}
    )
    units = (
        "Spread and error are shares of the target's range, at the scale and offset that fit best."
        if is_restored
        else "The spread is that of the probability; a pixel is wrong if only the result or only "
        "the annotation has an object there."
    )
    return Table(
        "Uncertainty by test-time augmentation, and the true error",
        ("pixels by spread", *columns.values()),
        [
            [
                f"tenth {i} of {len(found['by_spread'])}",
                *(number(one[key], 4) for key in columns),
            ]
            for i, one in enumerate(found["by_spread"], 1)
        ],
        f"{units} Correlation of spread and absolute error over pixels, mean of "
        f"{found['images']} images: Pearson {number(found['pearson_r'], 2)}, Spearman "
        f"{number(found['spearman_r'], 2)}. The spread is what varies when the input is mirrored "
        "and turned; what the model always gets wrong does not show in it.",
    )


def _overlap_table(summary: dict[str, Any]) -> Table:
    header = ("IoU at least", "AP", "AP, mean of images", "precision", "recall", "PQ", "found")
    rows = [
        [
            f"{one['iou']:g}",
            *(
                number(one[key], 3)
                for key in (
                    "average_precision",
                    "average_precision_by_image",
                    "precision",
                    "recall",
                    "panoptic_quality",
                )
            ),
            f"{one['tp']}, missed {one['fn']}, not annotated {one['fp']}",
        ]
        for one in summary["by_iou"]
    ]
    note = (
        "IoU is the intersection over the union of a found and an annotated object. AP, average "
        "precision, is TP / (TP + FP + FN) of all objects together; PQ, panoptic quality, also "
        "counts how well the outlines fit. 1 is best."
    )
    return Table("All images together", header, rows, note)


def _restoration_tables(quality: Quality) -> list[Table]:
    summary = quality.summary
    tables_ = [
        Table(
            f"Means over {summary['images']} fields",
            ("measure", *METHOD_NAMES.values(), "model, worst field", "better is"),
            [
                [
                    _named(key, quality),
                    *(number(summary["means"][method][key], decimals) for method in METHOD_NAMES),
                    number(summary["worst"]["prediction"][key], decimals),
                    "lower" if key in ("nrmse", "agreement_um") else "higher",
                ]
                for key, (_, _, decimals) in RESTORATION.items()
            ],
            "Every image is first given the scale and offset that fit the target best, as in the "
            "CARE paper; the data range is that from the 0.1st to the 99.9th percentile of the "
            "target. Detail is the finest period at which the Fourier ring correlation with the "
            "target is above 1/7, at best two pixels. The target has noise of its own, which no "
            "result can or should have.",
        ),
        _structure_table(quality),
        _consistency_table(summary["consistency"]),
    ]
    if summary["by_specimen"]:
        tables_.append(_specimen_table(quality))
    return tables_


def _named(key: str, quality: Quality) -> str:
    short, long, _ = RESTORATION[key]
    if key == "agreement_um":
        return f"detail ({unit(quality)}): {long}"
    return f"{short.removesuffix(' (dB)')}: {long}"


def unit(quality: Quality) -> str:
    """Of lengths: µm where the dataset knows its pixel size."""
    return "µm" if quality.summary["has_pixel_size"] else "px"


def _structure_table(quality: Quality) -> Table:
    structures = quality.summary["structures"]
    size = unit(quality)
    return Table(
        "Bright structures",
        ("", "number", f"median diameter ({size})", "found", "invented", "Dice"),
        [
            [
                "target",
                str(structures["prediction"]["wanted"]),
                number(structures["prediction"]["wanted_size"], 2),
                NONE,
                NONE,
                NONE,
            ],
            *(
                [
                    name,
                    str(one["count"]),
                    number(one["size"], 2),
                    percent(one["found"]),
                    percent(one["invented"], 1),
                    number(one["dice"], 3),
                ]
                for method, name in METHOD_NAMES.items()
                for one in [structures[method]]
            ),
        ],
        "Found in all three in one simple way: what stands out from the 8 px around it, above the "
        "image's own Otsu level, in connected parts of at least 10 px (20 voxels). A target's "
        "structure is found if half of it is covered; one of the result is invented if at most a "
        "tenth of it lies on the target's. A blurred image covers more, so look at found, invented "
        "and Dice (the overlap of all their pixels) together.",
    )


def _consistency_table(means: dict[str, Any]) -> Table:
    return Table(
        "Consistency with the input",
        ("blurred again", "correlation with the input", "light too much", "light too little"),
        [
            [
                name,
                number(means[f"{prefix}r"], 3),
                percent(means[f"{prefix}invented"], 2),
                percent(means[f"{prefix}missing"], 2),
            ]
            for name, prefix in (("model's result", ""), ("target", "target_"))
        ],
        f"Shares of places where the blurred image and the input differ by more than {STRONG:g} "
        "times what is usual for the target. The target's own line is what an honest result has.",
    )


def _specimen_table(quality: Quality) -> Table:
    keys = ("psnr_db", "ssim", "pearson_r", "agreement_um")
    names = [
        f"detail ({unit(quality)})" if key == "agreement_um" else RESTORATION[key][0]
        for key in keys
    ]
    return Table(
        "By specimen",
        ("specimen", "fields", "unlike training", *(f"{name}, model / raw" for name in names)),
        [
            [
                one["specimen"],
                str(one["images"]),
                NONE if one["unlike"] is None else str(one["unlike"]),
                *(
                    " / ".join(
                        number(one[method][key], RESTORATION[key][2]) for method in METHOD_NAMES
                    )
                    for key in keys
                ),
            ]
            for one in quality.summary["by_specimen"]
        ],
    )
