"""Tensors are held against the description before anything is run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from scopezoo.errors import RuntimeFailedError
from scopezoo.predict.engine import Engine
from scopezoo.serving.errors import HttpError
from scopezoo.serving.v2.checks import check_images, check_memory, check_raw, check_whole_images
from scopezoo.serving.v2.datatypes import ProtocolError
from scopezoo.serving.v2.signature import Signature, read_signature
from scopezoo.store import open_package
from tests.small_models import (
    BATCH,
    channels,
    description,
    encoder_decoder,
    follows,
    image_model,
    label_model,
    network,
    space,
    stardist_network,
    write_package,
)


def two_inputs() -> bytes:
    """Adds a mask to an image."""
    add = helper.make_node("Add", ["raw", "mask"], ["out"])
    shape = [1, 1, "y", "x"]
    return network([add], [], {"raw": shape, "mask": shape}, {"out": shape})


def two_input_model() -> dict[str, object]:
    mask_axes = [BATCH, channels("mask"), follows("y"), follows("x")]
    return description(
        [
            {"id": "raw", "axes": [BATCH, channels("signal"), space("y"), space("x")]},
            {"id": "mask", "axes": mask_axes},
        ],
        [{"id": "out", "axes": [BATCH, channels("sum"), follows("y"), follows("x")]}],
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tmp_path_factory.mktemp("small")
    return Engine(open_package(write_package(folder, image_model(), encoder_decoder())))


def fits(engine: Engine, arrays: dict[str, np.ndarray]) -> bool:
    try:
        check_raw(engine.description, read_signature(engine.package), arrays)
    except ProtocolError:
        return False
    return True


@given(st.data())
def test_what_passes_the_check_runs(small: Engine, data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 13), min_size=3, max_size=5))
    dtype = data.draw(st.sampled_from(["float32", "float64", "uint8"]))
    array = np.zeros(shape, dtype)
    if fits(small, {"raw": array}):
        assert small.runtime.run([array])[0].shape == array.shape
        assert array.dtype == np.float32
    elif array.dtype == np.float32 and array.shape[:2] == (1, 1) and array.ndim == 4:
        assert min(shape[2:]) < 8 or any(size % 2 for size in shape[2:])
    else:
        with pytest.raises(RuntimeFailedError):
            small.runtime.run([array])


def test_an_input_that_follows_another_has_its_size(tmp_path: Path) -> None:
    engine = Engine(open_package(write_package(tmp_path, two_input_model(), two_inputs())))
    raw = np.zeros((1, 1, 8, 10), np.float32)
    assert fits(engine, {"raw": raw, "mask": raw})
    assert not fits(engine, {"raw": raw, "mask": raw[..., :8]})
    assert not fits(engine, {"raw": raw})
    assert not fits(engine, {"mask": raw})


def test_what_would_take_more_memory_than_a_run_may_is_refused(small: Engine) -> None:
    at_once = {"raw": np.zeros((1, 1, 600, 600), np.float32)}
    check_memory(small, at_once)
    check_whole_images(small, at_once)
    small.memory_bytes, before = 600 * 600 * 5, small.memory_bytes
    try:
        with pytest.raises(HttpError, match="processing: true runs it in tiles") as refused:
            check_memory(small, at_once)
        assert refused.value.status == 413
        with pytest.raises(HttpError, match="send it as a job") as refused:
            check_whole_images(small, at_once)
        assert refused.value.status == 413
    finally:
        small.memory_bytes = before


def test_an_image_to_process_is_one_sample(small: Engine) -> None:
    check_images(small.description, {"raw": np.zeros((1, 1, 3, 5), np.uint8)})
    with pytest.raises(ProtocolError, match="along batch; with processing it takes 1"):
        check_images(small.description, {"raw": np.zeros((2, 1, 3, 5), np.uint8)})


def signature_of(folder: Path, rdf: dict[str, object], weights: bytes) -> Signature:
    return read_signature(open_package(write_package(folder, rdf, weights)))


def test_the_graph_tells_what_the_description_does_not(tmp_path: Path) -> None:
    found = signature_of(tmp_path, label_model(), stardist_network())
    assert found.outputs[0].shape == (1, -1, -1, 9)
    assert found.outputs[0].datatype == "FP32"


def test_types_are_those_of_the_graph(tmp_path: Path) -> None:
    cast = helper.make_node("Cast", ["raw"], ["out"], to=TensorProto.UINT8)
    shape = [1, 1, "y", "x"]
    graph = helper.make_graph(
        [cast],
        "cast",
        [helper.make_tensor_value_info("raw", TensorProto.FLOAT16, shape)],
        [helper.make_tensor_value_info("out", TensorProto.UINT8, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    found = signature_of(tmp_path, image_model(), model.SerializeToString())
    assert (found.inputs[0].datatype, found.outputs[0].datatype) == ("FP16", "UINT8")


def test_without_a_graph_the_description_says_it(tmp_path: Path) -> None:
    rdf = image_model() | {"weights": {"torchscript": {"source": "weights.onnx"}}}
    found = signature_of(tmp_path, rdf, b"")
    assert found.platform == "pytorch_libtorch"
    assert found.inputs[0].datatype == "FP32"
    assert found.outputs[0].shape == (1, 1, -1, -1)


def test_sizes_that_do_not_vary_are_told(tmp_path: Path) -> None:
    fixed = {"type": "space", "id": "y", "size": 16}
    rdf = description(
        [{"id": "raw", "axes": [BATCH, channels("signal"), fixed, space("x")]}],
        [{"id": "out", "axes": [BATCH, channels("result"), follows("y"), follows("x")]}],
    )
    found = signature_of(tmp_path, rdf, encoder_decoder())
    assert found.inputs[0].shape == (1, 1, 16, -1)
    assert found.outputs[0].shape == (1, 1, 16, -1)
