"""CARE, Noise2Void and fnet: what they learn from, and that they learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from scopezoo.errors import FileError  # noqa: E402
from scopezoo.models import train  # noqa: E402
from scopezoo.models.blind_spot import REACH_PX, with_blind_spots  # noqa: E402
from scopezoo.models.checkpoint import save_tensors  # noqa: E402
from scopezoo.models.image_evaluation import evaluate_images, given_psnr_db  # noqa: E402
from scopezoo.models.image_tasks import noise_deviation, varied  # noqa: E402
from scopezoo.models.network import make_network  # noqa: E402
from scopezoo.models.pairs import PairSource  # noqa: E402
from scopezoo.models.planes import PlanesUNet2d, PlanesUNet3d  # noqa: E402
from scopezoo.models.recipe import ImageRecipe, PairAugmentation, read_recipe  # noqa: E402
from scopezoo.models.samples import draw_patch, on_levels_of, read_samples  # noqa: E402
from scopezoo.models.tasks import make_task  # noqa: E402
from tests.models.images import COLLECTION, SHAPE, VOXEL_UM, light, make_images, small_recipe  # noqa: E402

DENOISING = ("denoise-care-2d", "denoise-care-3d", "denoise-n2v-2d", "denoise-n2v-3d")
ALL = (*DENOISING, "labelfree-fnet-3d")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_images(tmp_path_factory.mktemp("images") / "spots")


def image_recipe(path: Path) -> ImageRecipe:
    recipe = read_recipe(path)
    assert isinstance(recipe, ImageRecipe)
    return recipe


@pytest.mark.parametrize("name", ALL)
def test_the_collection_recipes_are_whole(name: str) -> None:
    recipe = image_recipe(COLLECTION / name / "recipe.yaml")
    assert recipe.id == name
    assert recipe.is_3d == name.endswith("3d")
    parameters = sum(p.numel() for p in make_network(recipe).parameters())
    assert parameters * 4 < 8e6, "weights stay below 8 MB"


def test_a_patch_that_does_not_fit_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="multiple of 2"):
        read_recipe(small_recipe("denoise-care-2d", tmp_path, patch_px=23))


@given(
    st.integers(0, 2), st.integers(1, 3), st.integers(5, 24), st.integers(2, 7), st.integers(0, 99)
)
@settings(max_examples=60, deadline=None)
def test_a_hidden_value_is_replaced_by_another_of_the_stack(
    margin: int, planes: int, side: int, spacing: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    # All values differ: whatever is in the input can be told from its value.
    shape = (planes + 2 * margin, side, side + 1)
    stack = rng.permutation(np.prod(shape)).reshape(shape).astype(np.float32)
    given_, hidden = with_blind_spots(stack, margin, spacing, rng)
    inner = slice(margin, margin + planes)
    assert hidden.shape == stack[inner].shape
    np.testing.assert_array_equal(given_[inner] != stack[inner], hidden)
    np.testing.assert_array_equal(given_[:margin], stack[:margin])
    np.testing.assert_array_equal(given_[margin + planes :], stack[margin + planes :])
    assert np.isin(given_, stack).all()
    if hidden.any():
        assert not np.isin(stack[inner][hidden], given_[inner][hidden]).all()
    assert hidden.sum() <= planes * np.ceil(side / spacing) * np.ceil((side + 1) / spacing)
    for z, y, x in np.argwhere(hidden):
        near = stack[
            z + margin,
            max(0, y - REACH_PX) : y + REACH_PX + 1,
            max(0, x - REACH_PX) : x + REACH_PX + 1,
        ]
        assert given_[z + margin, y, x] in near


@pytest.mark.parametrize("name", ["denoise-n2v-2d", "denoise-n2v-3d"])
def test_a_hidden_value_has_no_influence_on_its_prediction(name: str, tmp_path: Path) -> None:
    recipe = image_recipe(small_recipe(name, tmp_path))
    network = make_network(recipe).eval()
    rng = np.random.default_rng(0)
    stack = rng.random((2 * recipe.neighbours + 1, 24, 24)).astype(np.float32)

    def prediction(patch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        changed, hidden = with_blind_spots(patch, recipe.neighbours, 6, np.random.default_rng(1))
        source = torch.from_numpy(changed)[None]
        with torch.inference_mode():
            found = network.inner_planes(source[None] if recipe.is_3d else source)
        return found.numpy().reshape(hidden.shape), hidden

    before, hidden = prediction(stack)
    other = stack.copy()
    y, x = np.argwhere(hidden[0])[5]
    other[recipe.neighbours, y, x] += 100
    after, _ = prediction(other)
    source_of_others = with_blind_spots(other, recipe.neighbours, 6, np.random.default_rng(1))[0]
    assert source_of_others[recipe.neighbours, y, x] < 100
    if (source_of_others < 100).all():  # it stands in for no other pixel
        np.testing.assert_array_equal(before, after)
    assert not np.array_equal(stack, other)


def test_noise2void_reads_no_target(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "alone")
    gone = list((folder / "fields").glob("*/target.ome.zarr/**/c/**/*"))
    assert gone, "chunks of the targets"
    for path in gone:
        if path.is_file():
            path.write_bytes(b"nothing that can be read")
    path = small_recipe("denoise-n2v-2d", tmp_path)
    samples = read_samples(image_recipe(path), folder, "training")
    assert all(sample.target is None for sample in samples)
    task = make_task(read_recipe(path), path, folder)
    assert task.batch(np.random.default_rng(0))[0].shape == (8, 1, 24, 24)
    with pytest.raises(Exception, match=r".+"):
        make_task(read_recipe(small_recipe("denoise-care-2d", tmp_path)), path, folder)


@pytest.mark.parametrize("name", ALL)
def test_batches_follow_from_the_seed_and_show_one_place(
    name: str, images: Path, tmp_path: Path
) -> None:
    path = small_recipe(name, tmp_path, batch=32)
    task = make_task(read_recipe(path), path, images)
    sources, wanted = task.batch(np.random.default_rng(3))
    again, _ = task.batch(np.random.default_rng(3))
    assert torch.equal(sources, again)
    middle = sources[:, :, sources.shape[2] // 2] if sources.ndim == 5 else sources
    flat = [part.reshape(-1).numpy() for part in (middle, wanted[:, :1])]
    assert np.corrcoef(*flat)[0, 1] > 0.5


@pytest.mark.parametrize("name", ["denoise-care-2d", "denoise-care-3d", "labelfree-fnet-3d"])
def test_what_is_wanted_lies_halfway_to_what_a_teacher_finds(
    name: str, images: Path, tmp_path: Path
) -> None:
    (tmp_path / "larger").mkdir()
    larger = small_recipe(name, tmp_path / "larger")
    plain = read_recipe(larger)
    teacher = make_network(plain)
    save_tensors(teacher.state_dict(), larger.with_name("weights.pt"))
    smaller = small_recipe(name, tmp_path, teacher="larger/recipe.yaml")
    (sources, targets), (same, wanted) = (
        make_task(read_recipe(path), path, images).batch(np.random.default_rng(3))
        for path in (larger, smaller)
    )
    assert torch.equal(sources, same)
    with torch.no_grad():
        found = teacher.inner_planes(sources)
    torch.testing.assert_close(wanted[:, :1], (targets[:, :1] + found) / 2)
    assert torch.equal(wanted[:, 1:], targets[:, 1:])


def test_noise2void_takes_no_teacher(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="noisy images alone: expected no teacher"):
        read_recipe(small_recipe("denoise-n2v-2d", tmp_path, teacher="larger/recipe.yaml"))


def test_care_wants_the_grey_levels_of_its_input() -> None:
    rng = np.random.default_rng(0)
    clean = light(0)
    low, high = (100 + 2 * rng.poisson(1 + k * clean).astype(np.float32) for k in (12, 400))
    found = on_levels_of(low, high, VOXEL_UM)
    expected = 100 + 2 * (1 + 12 * clean)
    slope, offset = np.polyfit(expected.ravel(), found.ravel(), 1)
    assert slope == pytest.approx(1, abs=0.1)
    assert slope * 102 + offset == pytest.approx(102, abs=1)


def test_patches_go_beyond_the_last_plane_as_the_network_does(images: Path, tmp_path: Path) -> None:
    recipe = image_recipe(small_recipe("denoise-care-3d", tmp_path))
    sample = read_samples(recipe, images, "training")[0]
    for seed in range(20):
        rng = np.random.default_rng(seed)
        source, target = draw_patch(sample, (SHAPE[0], 24, 60), 2, rng, on_bright=True)
        assert target is not None
        assert source.shape == (SHAPE[0] + 4, 24, 60)
        assert target.shape == (SHAPE[0], 24, 60)
        np.testing.assert_array_equal(source[0], source[2])
        np.testing.assert_array_equal(source[-1], source[-3])


def test_variations_keep_a_pair_together() -> None:
    stack = np.random.default_rng(0).random((5, 16, 16)).astype(np.float32)
    for seed in range(20):
        how = PairAugmentation(gain=(0.5, 2.0), noise=(0.0, 0.0))
        source, target = varied(stack, stack, how, np.random.default_rng(seed))
        np.testing.assert_array_equal(source, target)


def test_the_noise_of_a_patch_is_found() -> None:
    rng = np.random.default_rng(0)
    stack = light(1) + rng.normal(0, 0.2, SHAPE)
    assert noise_deviation(stack.astype(np.float32)) == pytest.approx(0.2, rel=0.1)


def test_a_stack_is_made_plane_for_plane_from_its_neighbours() -> None:
    torch.manual_seed(0)
    network = PlanesUNet3d((4, 6), neighbours=1, residual=True).eval()
    stack = torch.rand(1, 1, 6, 8, 8)
    changed = stack.clone()
    changed[:, :, 5] += 1
    with torch.inference_mode():
        difference = (network(stack) - network(changed)).abs().amax(dim=(0, 1, 3, 4))
    assert (difference[:4] == 0).all()
    assert (difference[4:] > 0).all()


def test_a_plane_keeps_its_size() -> None:
    network = PlanesUNet2d((4, 6, 8), residual=False).eval()
    assert network(torch.rand(2, 1, 12, 20)).shape == (2, 1, 12, 20)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("denoise-care-2d", marks=pytest.mark.slow),
        "denoise-n2v-2d",
        pytest.param("denoise-care-3d", marks=pytest.mark.slow),
    ],
)
def test_a_short_training_improves_on_the_noisy_image(
    name: str, images: Path, tmp_path: Path
) -> None:
    path = small_recipe(name, tmp_path)
    weights = train(path, images, tmp_path / "run", quiet=True)
    found = evaluate_images(image_recipe(path), path, images, weights)
    rows = {row["method"]: row for row in found["by_image"]}
    assert rows["this model"]["psnr_given_db"] > rows["noisy"]["psnr_given_db"] + 3
    assert rows["this model"]["pearson_r"] > rows["noisy"]["pearson_r"]
    assert (tmp_path / "comparison.png").stat().st_size > 1000


def test_labelfree_is_measured_beside_the_mean_profile(images: Path, tmp_path: Path) -> None:
    path = small_recipe("labelfree-fnet-3d", tmp_path)
    weights = train(path, images, tmp_path / "run", quiet=True)
    found = evaluate_images(image_recipe(path), path, images, weights)
    rows = {row["method"]: row for row in found["table"]}
    assert rows["this model"]["pearson_r"] > rows["mean profile"]["pearson_r"] + 0.2
    assert rows["this model"]["normalised_error"] < 1 < rows["mean profile"]["normalised_error"] + 1


def test_grey_levels_as_given_are_not_matched(images: Path, tmp_path: Path) -> None:
    recipe = image_recipe(small_recipe("denoise-care-2d", tmp_path))
    source = PairSource(images, "test", recipe.normalisation)
    target = source.field(source.pairs[0]).target
    low, high = np.percentile(target, (0.1, 99.9))
    assert given_psnr_db(target + (high - low) / 10, target) == pytest.approx(20, abs=0.01)
