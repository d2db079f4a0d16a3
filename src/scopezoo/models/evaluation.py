"""How good a trained model is on the test part of its dataset.

Run as `python -m scopezoo.models.evaluation RECIPE DATA` it measures the `weights.pt` beside the
recipe and writes `measured.json` there; with `--run` also what the training took.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from scopezoo.errors import UsageError
from scopezoo.models.checkpoint import load_tensors
from scopezoo.models.history import NOT_LOSSES, read_history
from scopezoo.models.network import make_network
from scopezoo.models.recipe import (
    BorderRecipe,
    ImageRecipe,
    Recipe,
    RestorationRecipe,
    StarDist3dRecipe,
    StarDistRecipe,
    SynthesisRecipe,
    read_recipe,
)
from scopezoo.models.training import CHECKPOINT


def evaluate(
    recipe_path: Path,
    data: Path,
    weights: Path,
    *,
    unregistered: Path | None = None,
    truth: Path | None = None,
    beside: Path | None = None,
    real: Path | None = None,
    work: Path | None = None,
) -> dict[str, Any]:
    """The figures of a model, with the command that measures them.

    `unregistered` and `truth` are of restoration models, see `pair_evaluation.evaluate_pairs`,
    `beside` and `real` of denoising ones, see `image_evaluation` and `real_evaluation`; `real` of
    StarDist in 3D too, see `star_real`; `work` of synthesising ones, see `synthesis_evaluation`.
    Raises UsageError where one of these has none.
    """
    recipe = read_recipe(recipe_path)
    options = "".join(
        f" --{name} {name.upper()}"
        for name, value in (
            ("unregistered", unregistered),
            ("truth", truth),
            ("beside", beside),
            ("real", real),
            ("work", work),
        )
        if value
    )
    command = f"python -m scopezoo.models.evaluation {recipe_path.as_posix()} DATA{options}"
    if isinstance(recipe, RestorationRecipe):
        from scopezoo.models.pair_evaluation import evaluate_pairs

        figures = evaluate_pairs(
            recipe, recipe_path, data, weights, unregistered=unregistered, truth=truth
        )
        return {"command": command, **figures}
    if isinstance(recipe, ImageRecipe):
        from scopezoo.models.image_evaluation import evaluate_images

        return {
            "command": command,
            **evaluate_images(
                recipe, recipe_path, data, weights, truth=truth, beside=beside, real=real
            ),
        }
    if isinstance(recipe, BorderRecipe):
        from scopezoo.models.border_evaluation import evaluate_borders

        return {"command": command, **evaluate_borders(recipe, recipe_path, data, weights)}
    if isinstance(recipe, SynthesisRecipe):
        from scopezoo.models.synthesis_evaluation import evaluate_synthesis

        if work is None:
            raise UsageError(f"{recipe.id} is measured by trainings: give a folder with --work")
        return {"command": command, **evaluate_synthesis(recipe, recipe_path, data, weights, work)}
    from scopezoo.models.star_evaluation import evaluate_stars

    assert isinstance(recipe, StarDistRecipe | StarDist3dRecipe)  # the only other kinds
    return {"command": command, **evaluate_stars(recipe, recipe_path, data, weights, real=real)}


def training_figures(recipe: Recipe, run: Path) -> dict[str, Any]:
    """What a training took and reached, from the `history.csv` of its run folder.

    The losses are means over the steps since the look before; the kept weights are the best look's.
    Raises FileError where there is no history.
    """
    rows = read_history(run)
    best = max(rows, key=lambda row: row["score"])
    return {
        "steps": int(rows[-1]["step"]),
        "kept_step": int(best["step"]),
        "seconds": round(rows[-1]["seconds"]),
        "device": _device(run),
        "precision": recipe.training.precision,
        "parameters": sum(p.numel() for p in make_network(recipe).parameters()),
        "validation_score": best["score"],
        "loss": best["loss"],
        **{f"loss_{name}": best[name] for name in best.keys() - NOT_LOSSES - {"loss"}},
    }


def _device(run: Path) -> str:
    """What the training ran on last, as its checkpoint says."""
    checkpoint = run / CHECKPOINT
    on_gpu = checkpoint.exists() and load_tensors(checkpoint).get("device") == "cuda"
    return "GPU" if on_gpu else "CPU"


def record(path: Path, key: str, content: dict[str, Any]) -> None:
    """Put `content` under `key` of `measured.json`; what is under other keys stays."""
    measured = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    measured[key] = content
    path.write_text(json.dumps(measured, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    """Evaluate the `weights.pt` beside a recipe and write `measured.json` there."""
    parser = argparse.ArgumentParser(prog="python -m scopezoo.models.evaluation")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("data", type=Path, help="folder of the dataset")
    parser.add_argument("--run", type=Path, help="run folder of the training, to record it too")
    parser.add_argument(
        "--unregistered", type=Path, help="weights of a training with registered: false"
    )
    parser.add_argument("--truth", type=Path, help="truth folder of a simulated dataset")
    parser.add_argument("--beside", type=Path, help="recipe of a denoising model to compare with")
    parser.add_argument(
        "--real", type=Path, help="folder of real images: raw/ and gt/, or images/ and masks/"
    )
    parser.add_argument("--work", type=Path, help="folder for trainings on synthetic images")
    arguments = parser.parse_args()
    beside: Path = arguments.recipe.parent
    result = evaluate(
        arguments.recipe,
        arguments.data,
        beside / "weights.pt",
        unregistered=arguments.unregistered,
        truth=arguments.truth,
        beside=arguments.beside,
        real=arguments.real,
        work=arguments.work,
    )
    record(beside / "measured.json", "evaluation", result)
    if arguments.run:
        figures = training_figures(read_recipe(arguments.recipe), arguments.run)
        record(beside / "measured.json", "training", figures)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
