"""The StarDist network: its form, its exports, and its decoding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.datasets import simulate_nuclei

torch = pytest.importorskip("torch")
pytest.importorskip("stardist")

from scopezoo.models.instances import predict_stars, star_loss  # noqa: E402
from scopezoo.models.star_shapes import Polygons, Thresholds  # noqa: E402
from scopezoo.models.star_tally import count_matches  # noqa: E402
from scopezoo.models.stardist import StarDist2d  # noqa: E402


def make_small_network() -> StarDist2d:
    torch.manual_seed(0)
    network = StarDist2d(channels=(8, 12, 16), features=10, rays=6)
    network(torch.randn(4, 1, 32, 32))  # Gives the normalisation layers statistics of their own.
    return network.eval()


def test_output_is_probability_then_distances_channel_last() -> None:
    network = make_small_network()
    with torch.inference_mode():
        output = network(torch.randn(2, 1, 24, 40))
    assert output.shape == (2, 24, 40, 7)
    assert network.stride == 8
    assert 0 <= float(output[..., 0].min()) <= float(output[..., 0].max()) <= 1
    assert float(output[..., 1:].min()) > 0


@pytest.mark.parametrize("size", [(16, 16), (40, 24)])
def test_onnx_and_traced_network_agree_at_any_size(size: tuple[int, int], tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    network = make_small_network()
    example = torch.randn(1, 1, 32, 32)
    path = tmp_path / "network.onnx"
    axes = {0: "batch", 2: "y", 3: "x"}
    torch.onnx.export(
        network,
        (example,),
        str(path),
        dynamo=False,
        opset_version=17,
        input_names=["image"],
        output_names=["stars"],
        dynamic_axes={"image": axes, "stars": {0: "batch", 1: "y", 2: "x"}},
    )
    image = torch.randn(1, 1, *size)
    with torch.inference_mode():
        wanted = network(image).numpy()
        traced = torch.jit.trace(network, example)(image).numpy()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (exported,) = session.run(None, {"image": image.numpy()})
    np.testing.assert_allclose(exported, wanted, atol=1e-4)
    np.testing.assert_allclose(traced, wanted, atol=1e-4)


@settings(max_examples=10, deadline=None)
@given(height=st.integers(9, 40), width=st.integers(9, 40))
def test_any_size_is_predicted_on_its_own_grid(height: int, width: int) -> None:
    image = np.random.default_rng(0).normal(size=(height, width)).astype(np.float32)
    assert predict_stars(make_small_network(), image, (1, 1)).shape == (height, width, 7)


def test_true_targets_decode_to_the_true_labels() -> None:
    _, labels = simulate_nuclei((96, 112), seed=3, nuclei=30, diameter_px=(14, 24))
    polygons = Polygons(rays=32)
    stars = polygons.targets(labels).transpose(1, 2, 0)
    found = polygons.render(polygons.find(stars, Thresholds(0.5, 0.4)), labels.shape)
    true_positives, false_positives, false_negatives = count_matches(labels, found)[1]
    assert false_positives == 0
    assert true_positives >= 0.9 * labels.max()
    assert true_positives + false_negatives == labels.max()


def test_dropping_improbable_objects_afterwards_is_the_same_as_a_higher_threshold() -> None:
    _, labels = simulate_nuclei((80, 80), seed=5, nuclei=40)
    polygons = Polygons(rays=16)
    stars = polygons.targets(labels).transpose(1, 2, 0)
    stars[..., 0] *= np.random.default_rng(1).uniform(0.5, 1, (80, 80))
    after = polygons.find(stars, Thresholds(0.2, 0.3)).above(0.6)
    before = polygons.find(stars, Thresholds(0.6, 0.3))
    assert len(after.centres) > 3
    np.testing.assert_array_equal(after.centres, before.centres)
    np.testing.assert_array_equal(after.distances, before.distances)


def test_loss_is_least_for_the_targets_themselves() -> None:
    _, labels = simulate_nuclei((48, 48), seed=2)
    targets = torch.from_numpy(Polygons(rays=8).targets(labels))[None]
    logits, distances = torch.logit(targets[:, :1], eps=1e-6), targets[:, 1:]
    best, parts = star_loss(logits, distances, targets, distance_weight=1)
    assert parts["distance"] == 0
    for wrong in ((logits + 1, distances), (logits, distances + 1), (-logits, distances)):
        assert star_loss(*wrong, targets, distance_weight=1)[0] > best
