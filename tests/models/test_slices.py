"""The 2.5D network: its form, its exports, and what a plane depends on."""

from __future__ import annotations

import io

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from scopezoo.models.slices import SlicesUNet3d  # noqa: E402
from scopezoo.packaging.export import export_onnx, export_torchscript  # noqa: E402


def make_small_network() -> SlicesUNet3d:
    torch.manual_seed(0)
    network = SlicesUNet3d(channels=(4, 6, 8), slices=5)
    network(torch.randn(4, 1, 6, 16, 16))  # Gives the normalisation layers statistics of their own.
    return network.eval()


def run(network: SlicesUNet3d, stack: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return np.asarray(network(torch.from_numpy(stack)[None, None])[0, 0].numpy())


def test_onnx_and_traced_network_agree_at_any_size() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    network = make_small_network()
    example = torch.zeros(1, 1, 8, 32, 32)
    exported = onnxruntime.InferenceSession(
        export_onnx(network, example, "bczyx", "bczyx"), providers=["CPUExecutionProvider"]
    )
    traced = torch.jit.load(io.BytesIO(export_torchscript(network, example)))
    for shape in ((1, 1, 8, 32, 32), (1, 1, 1, 24, 40), (2, 1, 11, 8, 16)):
        stack = torch.randn(*shape)
        with torch.inference_mode():
            wanted, again = network(stack).numpy(), traced(stack).numpy()
        assert wanted.shape == shape
        (found,) = exported.run(None, {"input": stack.numpy()})
        np.testing.assert_allclose(found, wanted, atol=1e-5)
        np.testing.assert_allclose(again, wanted, atol=1e-5)


def test_a_plane_depends_on_its_neighbours_and_no_others() -> None:
    network = make_small_network()
    rng = np.random.default_rng(0)
    stack = rng.normal(size=(11, 16, 16)).astype(np.float32)
    changed = stack.copy()
    changed[5] += 1
    moved = np.abs(run(network, changed) - run(network, stack)).max(axis=(1, 2)) > 1e-7
    np.testing.assert_array_equal(np.flatnonzero(moved), [3, 4, 5, 6, 7])


def test_beyond_the_stack_there_are_copies_of_its_ends() -> None:
    network = make_small_network()
    stack = np.random.default_rng(1).normal(size=(6, 16, 16)).astype(np.float32)
    longer = np.pad(stack, ((2, 2), (0, 0), (0, 0)), mode="edge")
    with torch.inference_mode():
        inner = network.inner_planes(torch.from_numpy(longer)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(inner, run(network, stack), atol=1e-6)
