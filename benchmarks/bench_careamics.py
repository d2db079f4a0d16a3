"""CARE and Noise2Void of planes beside CAREamics: the same pixels, as many steps, the same figures.

    python benchmarks/bench_careamics.py TRUTH --careamics PYTHON [--steps N] [--work FOLDER]

TRUTH is the folder `truth` that `scopezoo dataset simulate` writes for the dataset
low-high-signal-simulated. Planes of its noise-free stacks get one range of grey levels and noise of
one strength. Our side trains by the recipes of the collection; only the steps, how often it looks
at the validation part, and how long it averages weights, are others. CAREamics trains by its
defaults, with 50 steps an epoch, and never stops early.

PYTHON is that of an environment with `careamics` (0.3.5), on a CPU. It imports torchvision, which
has no build beside every torch, and uses it in its variational (LVAE) models alone. Where it lacks,
a package of that name with the modules transforms, transforms.functional and models has to stand
in, which must answer None to every name that is asked of `models`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import tifffile
import yaml
from numpy.typing import NDArray

from scopezoo import models
from scopezoo.datasets.paired.importing import import_pairs, survey
from scopezoo.datasets.paired.splitting import fixed_parts, split_dataset
from scopezoo.datasets.split import Part
from scopezoo.models.image_evaluation import denormalised, image_fidelity, mean_rows
from scopezoo.models.network import load_network
from scopezoo.models.recipe import ImageRecipe, read_recipe

RECIPES = Path(__file__).parents[1] / "collection" / "models"
METHODS = {"CARE": "denoise-care-2d", "Noise2Void": "denoise-n2v-2d"}
RUNS = (("CARE", 300), ("Noise2Void", 300), ("Noise2Void", 2000))
PARTS: dict[Part, tuple[str, ...]] = {
    "training": ("chromatin-*", "cytoskeleton-*", "mitochondria-*", "vesicles-*"),
    "validation": ("check-*",),
    "test": ("test-*",),
}
PLANES: dict[Part, tuple[int, ...]] = {"training": (2, 5, 8), "validation": (5,), "test": (5,)}
"""Of each stack."""
PERCENTILES = (0.1, 99.9)
"""Of a noise-free plane: what becomes 0 and `PHOTONS`."""
PHOTONS = 45.0
READ_NOISE = 1.6
"""Standard deviation, in photons."""
PIXEL_UM = 0.11
LOOKS = 10
"""How often our side scores the validation part; CAREamics does after each epoch."""
SEED = 2026
FIGURES = {"psnr_db": 2, "ssim": 3, "micro_ssim": 3}
"""And how many decimals are shown."""

Planes = NDArray[np.float32]
"""YX each, in one stack."""

CAREAMICS = """
import json, sys, time
import numpy as np
from careamics import CAREamist
from careamics.config import create_advanced_care_config, create_advanced_n2v_config

EPOCH = 50
method, steps, seed, given, work = sys.argv[1:]
planes = np.load(given)
options = dict(
    experiment_name=method, data_type="array", axes="SYX", patch_size=[64, 64], batch_size=16,
    num_steps=min(EPOCH, int(steps)), num_epochs=max(1, int(steps) // EPOCH), num_workers=0,
    trainer_params={"accelerator": "cpu"}, seed=int(seed),
)
wanted = {}
if method == "CARE":
    config = create_advanced_care_config(**options, early_stopping_params={})
    wanted = {"train_data_target": planes["training_clean"],
              "val_data_target": planes["validation_clean"]}
else:
    config = create_advanced_n2v_config(**options)
side = CAREamist(config, work_dir=work, enable_progress_bar=False)
wall, cpu = time.perf_counter(), time.process_time()
side.train(train_data=planes["training_noisy"], val_data=planes["validation_noisy"], **wanted)
told = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu,
        "steps": side.trainer.global_step,
        "parameters": sum(one.numel() for one in side.model.parameters())}
found, _ = side.predict(planes["test_noisy"], batch_size=1, num_workers=0)
found = [np.reshape(one, (-1, *one.shape[-2:])) for one in found]
np.savez(work + "/found.npz", found=np.concatenate(found))
print(json.dumps(told))
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("truth", type=Path, help="folder of noise-free simulated images")
    parser.add_argument("--careamics", required=True, help="a Python that has careamics")
    parser.add_argument("--steps", type=int, help="of all trainings, a multiple of 50")
    parser.add_argument("--work", type=Path, help="a new folder to work in, and to keep")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work: Path = arguments.work or Path(temporary) / "work"
        work.mkdir(parents=True)
        planes = write_planes(arguments.truth, work)
        data = imported(work)
        print_head(planes)
        runs = [(name, arguments.steps) for name in METHODS] if arguments.steps else RUNS
        for method, steps in runs:
            run = work / f"{method}-{steps}"
            print_row(method, "scopezoo", ours(method, steps, data, planes, run), planes)
            other = theirs(method, steps, work, run, arguments.careamics)
            print_row(method, "CAREamics", other, planes)


def write_planes(truth: Path, work: Path) -> dict[str, Planes]:
    """Noisy and clean planes of each part: as pairs of files, in `planes.npz`, and returned."""
    rng = np.random.default_rng(SEED)
    for folder in ("source", "target"):
        (work / folder).mkdir()
    planes: dict[str, list[Planes]] = {}
    for part, name, clean in clean_planes(truth):
        noisy = (rng.poisson(clean) + rng.normal(0, READ_NOISE, clean.shape)).astype(np.float32)
        tifffile.imwrite(work / "source" / f"{name}.tif", noisy)
        tifffile.imwrite(work / "target" / f"{name}.tif", clean)
        planes.setdefault(f"{part}_noisy", []).append(noisy)
        planes.setdefault(f"{part}_clean", []).append(clean)
    stacks = {name: np.stack(found) for name, found in planes.items()}
    np.savez(work / "planes.npz", **cast(Any, stacks))
    return stacks


def clean_planes(truth: Path) -> Iterator[tuple[Part, str, Planes]]:
    """Part, `{specimen}_{field}`, and a plane on the common grey levels."""
    for part, patterns in PARTS.items():
        for path in sorted(one for name in patterns for one in (truth / "source").glob(name)):
            stack = tifffile.imread(path)
            for z in PLANES[part]:
                plane = stack[z]
                low, high = np.percentile(plane, PERCENTILES)
                clean = np.maximum(plane - low, 0) / (high - low) * PHOTONS
                specimen = path.name.split("_")[0]
                yield part, f"{specimen}_{z}", clean.astype(np.float32)


def imported(work: Path) -> Path:
    """The pairs as a dataset with the parts of `PARTS`."""
    size = {"voxel_size_um": {"y": PIXEL_UM, "x": PIXEL_UM}, "axes": "YX"}
    said = {"aligned": True, "pattern": "{specimen}_{field}", "source": size, "target": size}
    (work / "metadata.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    dataset, findings = import_pairs(survey(work / "source", work / "target"), work / "dataset")
    assert not findings, findings
    rules = [f"{part}={name}" for part, patterns in PARTS.items() for name in patterns]
    specimens = sorted({pair.specimen for pair in dataset.pairs})
    split_dataset(dataset, SEED, fixed=fixed_parts(specimens, rules))
    return work / "dataset"


def ours(
    method: str, steps: int, data: Path, planes: dict[str, Planes], run: Path
) -> dict[str, Any]:
    """What was spent on the recipe's training, and the test planes by it."""
    run.mkdir()
    source = RECIPES / METHODS[method] / "recipe.yaml"
    content = yaml.safe_load(source.read_text(encoding="utf-8"))
    brief = {"steps": steps, "validate_every": max(1, steps // LOOKS), "average_decay": 0.99}
    content["training"] |= brief
    (run / "recipe.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    wall, cpu = time.perf_counter(), time.process_time()
    weights = models.train(run / "recipe.yaml", data, run / "ours", quiet=True)
    spent = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    recipe = cast(ImageRecipe, read_recipe(run / "recipe.yaml"))
    network = load_network(recipe, weights)
    count = sum(one.numel() for one in network.parameters())
    found = denormalised(network, planes["test_noisy"], recipe)
    return {**spent, "steps": steps, "parameters": count, "found": found}


def theirs(method: str, steps: int, work: Path, run: Path, python: str) -> dict[str, Any]:
    """The same by CAREamics, in a process of its own."""
    folder = run / "careamics"
    folder.mkdir()
    arguments = [method, str(steps), str(SEED), str(work / "planes.npz"), str(folder)]
    done = subprocess.run([python, "-c", CAREAMICS, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"CAREamics failed:\n{done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**told, "found": np.load(folder / "found.npz")["found"]}


def print_head(planes: dict[str, Planes]) -> None:
    counts = ", ".join(f"{len(planes[f'{part}_noisy'])} for {part}" for part in PARTS)
    print(f"Planes of {planes['test_noisy'].shape[1:]} pixels: {counts}\n")
    print("| | | steps | parameters | PSNR dB | SSIM | MicroSSIM | training, wall s | CPU s |")
    print(f"|{'---|' * 9}")
    print(f"| noisy | | | | {shown(planes['test_noisy'], planes)} | | |", flush=True)


def print_row(method: str, side: str, told: dict[str, Any], planes: dict[str, Planes]) -> None:
    print(
        f"| {method} | {side} | {told['steps']} | {told['parameters'] / 1e6:.2f} M "
        f"| {shown(told['found'], planes)} | {told['wall_s']:.0f} | {told['cpu_s']:.0f} |",
        flush=True,
    )


def shown(found: Planes, planes: dict[str, Planes]) -> str:
    """Means over the test planes; each first gets the scale and offset that fit best."""
    rows = [
        {"group": "", "method": "", **image_fidelity(image[None], wanted[None], PIXEL_UM)}
        for image, wanted in zip(found, planes["test_clean"], strict=True)
    ]
    means = mean_rows(rows, tuple(FIGURES))[0]
    return " | ".join(
        "" if means[key] is None else f"{means[key]:.{digits}f}" for key, digits in FIGURES.items()
    )


if __name__ == "__main__":
    main()
