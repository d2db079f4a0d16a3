"""How well fluorescence is predicted from transmitted light, beside knowing only its mean profile.

Pearson's correlation and normalised error as in Ounkomol et al. 2018,
doi:10.1038/s41592-018-0111-2: the error of a prediction that is blank, the target's mean, is 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scopezoo.models.fidelity import RANGE_PERCENTILES, pearson_r, psnr_db, scaled_to, ssim
from scopezoo.models.image_evaluation import FIGURE, MODEL, UNLIKE, clean, mean_rows, predicted
from scopezoo.models.image_figures import panels_figure
from scopezoo.models.network import load_network
from scopezoo.models.pairs import Levels, PairSource
from scopezoo.models.recipe import ImageRecipe
from scopezoo.models.samples import Stack

LIKE = "like training"
PROFILE = "mean profile"
FIGURES = ("pearson_r", "pearson_r_noisy", "normalised_error", "psnr_db", "ssim")
SHOWN_PX = 192


def evaluate_labelfree(
    recipe: ImageRecipe, recipe_path: Path, data: Path, weights: Path, *, truth: Path | None = None
) -> dict[str, Any]:
    """Means over the test fields like training and unlike it, and a figure beside the recipe.

    `truth` is that of a simulation: fluorescence without noise. The mean profile is what the
    training part's targets show in each plane on average.
    """
    network = load_network(recipe, weights)
    profile = _mean_profile(recipe, data)
    source = PairSource(data, "test", recipe.normalisation)
    rows: list[dict[str, Any]] = []
    shown: dict[str, dict[str, Stack]] = {}
    for pair in source.pairs:
        field = source.field(pair)
        levels = Levels.of(field.target, recipe.normalisation)
        measured = levels.apply(field.target)
        wanted = clean(truth, pair, "target") if truth else measured
        found = {
            PROFILE: np.broadcast_to(_depth(profile, len(wanted))[:, None, None], wanted.shape),
            MODEL: predicted(network, field.source, recipe),
        }
        group = UNLIKE if field.specimen in recipe.data.unlike else LIKE
        for method, image in found.items():
            figures = _figures(image, wanted, measured)
            rows.append({"group": group, "image": pair.id, "method": method, **figures})
        panels = {"bright field": field.source, MODEL: found[MODEL], "fluorescence": measured}
        shown.setdefault(field.specimen, panels)
    panels_figure(
        shown,
        recipe.pixel_size_um["x"],
        recipe_path.parent / FIGURE,
        own_levels=("bright field",),
        shown_px=SHOWN_PX,
    )
    return {
        "kind": "label-free",
        "dataset": recipe.data.dataset,
        "part": "test",
        "images": len(source.pairs),
        "reference": "fluorescence without noise" if truth else "fluorescence",
        "table": mean_rows(rows, FIGURES),
        "by_image": rows,
        "figure": FIGURE,
    }


def _mean_profile(recipe: ImageRecipe, data: Path) -> NDArray[np.float32]:
    source = PairSource(data, "training", recipe.normalisation)
    targets = [source.field(pair).target for pair in source.pairs]
    profiles = [
        Levels.of(target, recipe.normalisation).apply(target).mean(axis=(1, 2))
        for target in targets
    ]
    planes = min(len(profile) for profile in profiles)
    return np.asarray(np.mean([_depth(one, planes) for one in profiles], axis=0), dtype=np.float32)


def _depth(profile: NDArray[np.float32], planes: int) -> NDArray[np.float32]:
    """The profile over another number of planes, end to end."""
    places = np.linspace(0, len(profile) - 1, planes)
    return np.interp(places, np.arange(len(profile)), profile).astype(np.float32)


def _figures(image: NDArray[Any], wanted: Stack, measured: Stack) -> dict[str, float]:
    matched = scaled_to(image, wanted)
    low, high = np.percentile(wanted, RANGE_PERCENTILES)
    data_range = float(high - low)
    return {
        "pearson_r": pearson_r(image, wanted),
        "pearson_r_noisy": pearson_r(image, measured),
        "normalised_error": normalised_error(image, measured),
        "psnr_db": psnr_db(matched, wanted, data_range),
        "ssim": ssim(matched, wanted, data_range, np.ones(wanted.shape, dtype=np.bool_)),
    }


def normalised_error(image: NDArray[Any], target: NDArray[Any]) -> float:
    """Mean squared error over the variance of the target: 1 for its mean everywhere."""
    wanted = target.astype(np.float64)
    return float(((image - wanted) ** 2).mean() / wanted.var())
