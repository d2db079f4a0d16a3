"""The generator of synthetic images: what it sees of labels, and its exports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scopezoo.datasets import simulate_nuclei
from scopezoo.models.looks import with_texture

torch = pytest.importorskip("torch")

from scopezoo.models.pix2pix import Pix2PixGenerator2d, label_features  # noqa: E402


def make_small_network() -> Pix2PixGenerator2d:
    torch.manual_seed(0)
    network = Pix2PixGenerator2d(channels=(8, 12), features=8)
    network(labels((4, 1, 32, 32)))  # Gives the normalisation layers statistics of their own.
    return network.eval()


def labels(shape: tuple[int, ...]) -> torch.Tensor:
    planes = simulate_nuclei((shape[2] * shape[0], shape[3]), 5, nuclei=20)[1]
    textured = with_texture(planes, np.random.default_rng(1))
    return torch.from_numpy(textured).reshape(shape)


def test_touching_nuclei_have_an_edge_between_them() -> None:
    plane = torch.zeros(1, 1, 24, 40)
    plane[:, :, 2:22, 2:20], plane[:, :, 2:22, 20:38] = 1, 2
    inside, edge, depth = label_features(plane)[0, :3].numpy()
    assert inside.sum() == 20 * 36
    assert edge[10, 17:23].tolist() == [0, 0, 1, 1, 0, 0]
    assert edge[1].sum() == 0
    assert (np.diff(depth[11, 19:29]) >= 0).all()
    assert depth.max() == 1


def test_texture_is_of_chance_alone() -> None:
    network = make_small_network()
    textured = labels((1, 1, 32, 32))
    plain = textured.round()
    smooth, texture = network.parts(plain, label_features(plain))
    assert not texture.any()
    again, texture = network.parts(textured, label_features(textured))
    assert torch.equal(again, smooth)
    assert float(texture.abs().max()) > 0
    assert torch.equal(network(textured), smooth + texture)


@pytest.mark.parametrize("size", [(16, 16), (40, 24)])
def test_onnx_and_traced_network_agree_at_any_size(size: tuple[int, int], tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    network = make_small_network()
    assert network.stride == 4
    path = tmp_path / "network.onnx"
    axes = {0: "batch", 2: "y", 3: "x"}
    example = labels((1, 1, 32, 32))
    torch.onnx.export(
        network,
        (example,),
        str(path),
        dynamo=False,
        opset_version=17,
        input_names=["labels"],
        output_names=["made"],
        dynamic_axes={"labels": axes, "made": axes},
    )
    given = labels((1, 1, *size))
    with torch.inference_mode():
        wanted = network(given).numpy()
        traced = torch.jit.trace(network, example)(given).numpy()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (exported,) = session.run(None, {"labels": given.numpy()})
    assert wanted.shape == given.shape
    np.testing.assert_allclose(traced, wanted, atol=1e-4)
    np.testing.assert_allclose(exported, wanted, atol=1e-4)
