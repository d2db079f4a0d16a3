"""Training a packaged model on with one's own images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("stardist")

from scopezoo.datasets import simulate_nuclei  # noqa: E402
from scopezoo.datasets.paired import Dataset  # noqa: E402
from scopezoo.datasets.split import read_split, two_parts  # noqa: E402
from scopezoo.errors import (  # noqa: E402
    FileError,
    IncompatibleImageError,
    PackageError,
    StoppedError,
    UsageError,
)
from scopezoo.models.finetuning import child_recipe, fine_tune, overfitting  # noqa: E402
from scopezoo.models.network import make_network  # noqa: E402
from scopezoo.models.recipe import read_recipe  # noqa: E402
from scopezoo.packaging.from_recipe import origin_from_recipe  # noqa: E402
from scopezoo.packaging.quality import quality_text  # noqa: E402
from scopezoo.store import open_package, resolve  # noqa: E402
from scopezoo.store.package import Package  # noqa: E402
from tests import small_models as small  # noqa: E402
from tests.models.images import small_recipe as small_image_recipe  # noqa: E402
from tests.models.test_training import stop_at  # noqa: E402


def as_package(recipe: Path, folder: Path, rdf: dict[str, Any]) -> Package:
    """A package of a recipe with random weights, as far as training on needs it."""
    folder.mkdir()
    torch.manual_seed(1)
    network = make_network(read_recipe(recipe))
    torch.save(network.state_dict(), folder / "weights.pt")
    (folder / "recipe.yaml").write_bytes(recipe.read_bytes())
    rdf["weights"] = {"pytorch_state_dict": {"source": "weights.pt"}}
    rdf["id"], rdf["version"] = "mother", "1.2.0"
    (folder / "rdf.yaml").write_text(json.dumps(rdf))
    return open_package(folder)


@pytest.fixture
def parent(small_recipe: Path, tmp_path: Path) -> Package:
    return as_package(small_recipe, tmp_path / "mother", small.label_model(0.42))


@pytest.fixture
def denoiser(tmp_path: Path) -> Package:
    recipe = small_image_recipe("denoise-n2v-2d", tmp_path, steps=4)
    rdf = small.image_model()
    rdf["inputs"][0]["test_tensor"] = {"source": "test.npy"}
    folder = tmp_path / "mother"
    found = as_package(recipe, folder, rdf)
    np.save(folder / "test.npy", np.arange(4096, dtype=np.float32).reshape(1, 1, 64, 64))
    return found


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """Six images with masks."""
    for part in ("images", "masks"):
        (tmp_path / "cells" / part).mkdir(parents=True)
    for seed in range(6):
        image, labels = simulate_nuclei((96, 80), 50 + seed, nuclei=25)
        tifffile.imwrite(tmp_path / "cells" / "images" / f"{seed}.tif", image)
        tifffile.imwrite(tmp_path / "cells" / "masks" / f"{seed}.tif", labels.astype("uint16"))
    return tmp_path / "cells"


def test_a_child_learns_from_the_images_and_names_its_parent(
    parent: Package, cells: Path, tmp_path: Path
) -> None:
    run = tmp_path / "my-cells"
    found = fine_tune(parent, cells, run, steps=30, quiet=True)
    assert found.id == "my-cells"
    assert found.score >= found.parent_score
    recipe = read_recipe(run / "recipe.yaml")
    assert recipe.parent is not None
    assert (recipe.parent.id, recipe.parent.version) == ("mother", "1.2.0")
    assert recipe.training.steps == 30
    split = read_split(run / "split.json")
    assert (len(split.ids("training")), len(split.ids("validation"))) == (4, 2)
    measured = json.loads((run / "measured.json").read_text())["evaluation"]
    assert measured["thresholds"] == {"probability": 0.42, "overlap": 0.3}
    assert (measured["parent"], measured["images"]) == ("mother", 2)
    with pytest.raises(UsageError, match="--resume"):
        fine_tune(parent, cells, run, quiet=True)


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_child(
    parent: Package, cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fine_tune(parent, cells, tmp_path / "whole", steps=24, quiet=True)
    with monkeypatch.context() as patched:
        stop_at(10, patched)
        with pytest.raises(StoppedError, match="--resume"):
            fine_tune(parent, cells, tmp_path / "broken", steps=24, quiet=True)
    again = fine_tune(parent, cells, tmp_path / "broken", resume=True, quiet=True)
    assert again.score == pytest.approx(whole.score)
    wanted, found = (
        torch.load(one.run / "weights.pt", weights_only=True) for one in (whole, again)
    )
    for key, value in wanted.items():
        np.testing.assert_allclose(found[key].numpy(), value.numpy(), rtol=1e-5, atol=1e-6)


def test_noisy_images_alone_are_enough_for_noise2void(denoiser: Package, tmp_path: Path) -> None:
    data = tmp_path / "noisy"
    data.mkdir()
    rng = np.random.default_rng(0)
    for number in range(3):
        tifffile.imwrite(data / f"a {number}.tif", rng.poisson(30, (64, 70)).astype("uint16"))
    (data / "notes.txt").write_text("not an image")
    run = tmp_path / "calm"
    found = fine_tune(denoiser, data, run, steps=2, quiet=True)
    assert np.isfinite(found.score)
    dataset = Dataset.open(run / "dataset")
    assert len(dataset.pairs_of("training")) == 2
    assert read_recipe(run / "recipe.yaml").test_image.size_px == {"y": 64, "x": 64}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("shapes", "names", "error", "told"),
    [
        ([(64, 64), (64, 60)], ("a", "a"), IncompatibleImageError, "expected images of one grid"),
        ([(64, 64), (64, 64)], ("a", "b"), FileError, "a is in one of them alone"),
        ([(2, 3, 64, 64), (2, 3, 64, 64)], ("a", "a"), IncompatibleImageError, "one channel"),
    ],
)
def test_pairs_that_do_not_fit_are_told(
    denoiser: Package,
    tmp_path: Path,
    shapes: list[tuple[int, ...]],
    names: tuple[str, str],
    error: type[Exception],
    told: str,
) -> None:
    data = tmp_path / "pairs"
    for side, shape, name in zip(("source", "target"), shapes, names, strict=True):
        (data / side).mkdir(parents=True)
        pixels = np.random.default_rng(0).poisson(30, shape).astype("uint16")
        axes = "TCYX"[-len(shape) :]
        tifffile.imwrite(data / side / f"{name}.tif", pixels, imagej=True, metadata={"axes": axes})
    with pytest.raises(error, match=told):
        fine_tune(denoiser, data, tmp_path / "child", quiet=True)


def test_what_cannot_be_trained_on_is_told(parent: Package, cells: Path, tmp_path: Path) -> None:
    plain = small.write_package(tmp_path / "plain", small.image_model(), small.encoder_decoder())
    with pytest.raises(PackageError, match=r"no sound recipe\.yaml"):
        fine_tune(open_package(plain), cells, tmp_path / "child", quiet=True)
    with pytest.raises(UsageError, match="'My Cells' cannot be a model's id"):
        fine_tune(parent, cells, tmp_path / "My Cells", quiet=True)
    for number in range(1, 6):
        for part in ("images", "masks"):
            (cells / part / f"{number}.tif").unlink()
    with pytest.raises(FileError, match="shows 1 field: expected at least two"):
        fine_tune(parent, cells, tmp_path / "child", quiet=True)
    with pytest.raises(FileError, match="has no folder 'images'"):
        fine_tune(parent, tmp_path / "nowhere", tmp_path / "child", quiet=True)
    (Path(parent.location) / "weights.pt").write_bytes(b"other")
    with pytest.raises(FileError, match=r"parent\.pt"):
        fine_tune(parent, cells, tmp_path / "child", quiet=True)


def row(step: int, loss: float, score: float) -> dict[str, float]:
    return {"step": step, "loss": loss, "score": score}


def test_models_of_stacks_are_refused(cells: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="stardist_3d"):
        fine_tune(resolve("nuclei-stardist-3d"), cells, tmp_path / "child", steps=2, quiet=True)
    assert not (tmp_path / "child").exists()


def test_curves_that_part_are_overfitting() -> None:
    rising = [row(10, 0.9, 0.5), row(20, 0.8, 0.6), row(30, 0.7, 0.61)]
    assert overfitting(rising, 0.4) == []
    (told,) = overfitting([*rising, row(40, 0.3, 0.5)], 0.4)
    assert "overfits" in told
    assert "step 30" in told
    assert overfitting([*rising, row(40, 0.8, 0.5)], 0.4) == []  # worse on both
    (told,) = overfitting(rising, 0.7)
    assert "the child is the parent itself" in told


@given(st.lists(st.integers(1, 5), min_size=2, max_size=12), st.integers(0, 99))
def test_groups_are_never_parted(sizes: list[int], seed: int) -> None:
    groups = [[f"{i}-{j}" for j in range(size)] for i, size in enumerate(sizes)]
    parts = two_parts(groups, seed, "here")
    assert all(len({parts[key] for key in group}) == 1 for group in groups)
    assert set(parts.values()) == {"training", "validation"}
    assert len(parts) == sum(sizes)


def test_a_child_has_no_teacher(small_recipe: Path, tmp_path: Path) -> None:
    parent = as_package(small_recipe, tmp_path / "mother", small.label_model(0.42))
    recipe = read_recipe(small_recipe)
    training = recipe.training.model_copy(update={"teacher": Path("/somewhere/recipe.yaml")})
    taught = recipe.model_copy(update={"training": training})
    content = child_recipe(taught, parent, "child", "cells", 10)
    assert "teacher" not in content["training"]
    assert "somewhere" not in str(content)


def test_the_package_of_a_child_tells_of_its_parent(
    parent: Package, cells: Path, tmp_path: Path
) -> None:
    run = fine_tune(parent, cells, tmp_path / "child", steps=2, quiet=True).run
    measured = json.loads((run / "measured.json").read_text())
    metadata = origin_from_recipe(run / "recipe.yaml", run / "weights.pt", measured).metadata
    assert metadata.parent is not None
    assert (metadata.parent.id, metadata.parent.version) == ("mother", "1.2.0")
    assert "It began with the weights of `mother` (version 1.2.0)" in str(metadata.how_trained)
    steps = metadata.outputs[0].postprocessing
    assert steps[0].kwargs["prob_threshold"] == 0.42
    text = quality_text(metadata, measured["evaluation"])
    assert "`mother`, the parent" in text
    assert "2 images of cells that training did not learn from" in text
