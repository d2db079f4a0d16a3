"""What Triton's own client sees of the server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

import scopezoo
from scopezoo.predict import Engine, predict
from scopezoo.serving.settings import Token
from scopezoo.serving.v2.datatypes import datatype_of
from scopezoo.store import open_package, resolve
from tests.serving.live import live_server


@pytest.fixture(scope="module")
def engine(small_package: Path) -> Engine:
    """The network that the server has as `small`."""
    return Engine(open_package(small_package))


def plane(height: int, width: int, dtype: str = "float32") -> np.ndarray:
    pixels = np.random.default_rng(5).random((1, 1, height, width)) * 200
    return pixels.astype(dtype)


def given(array: np.ndarray, name: str = "raw", binary: bool = True) -> list[InferInput]:
    entry = InferInput(name, list(array.shape), datatype_of(array.dtype))
    return [entry.set_data_from_numpy(array, binary_data=binary)]


def test_the_server_says_what_it_is(triton: InferenceServerClient) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    metadata = triton.get_server_metadata()
    assert (metadata["name"], metadata["version"]) == ("scopezoo", scopezoo.__version__)
    assert "binary_tensor_data" in metadata["extensions"]


def test_the_repository_lists_all_models(triton: InferenceServerClient) -> None:
    index = triton.get_model_repository_index()
    assert {entry["name"]: entry["state"] for entry in index} == {
        "nuclei-stardist-2d": "READY",
        "small": "READY",
    }


@pytest.mark.parametrize("version", ["", "1"])
def test_a_model_says_what_its_network_takes(triton: InferenceServerClient, version: str) -> None:
    assert triton.is_model_ready("small", version)
    metadata = triton.get_model_metadata("small", version)
    shape = [1, 1, -1, -1]
    assert metadata == {
        "name": "small",
        "versions": ["1"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "raw", "datatype": "FP32", "shape": shape}],
        "outputs": [{"name": "out", "datatype": "FP32", "shape": shape}],
    }
    config = triton.get_model_config("small", version)
    assert config["max_batch_size"] == 0
    assert config["input"] == [
        {"name": "raw", "data_type": "TYPE_FP32", "dims": shape, "optional": False}
    ]
    assert config["parameters"]["raw.axes"] == {"string_value": "batch,channel,y,x"}
    assert config["parameters"]["raw.sizes"] == {"string_value": "1,1,8+2n,8+2n"}


def test_a_network_gives_more_than_what_is_decoded_of_it(triton: InferenceServerClient) -> None:
    version = resolve("nuclei-stardist-2d").description.version
    for asked in ("", "1", version):
        metadata = triton.get_model_metadata("nuclei-stardist-2d", asked)
        assert metadata["versions"] == [version]
    assert metadata["outputs"] == [{"name": "labels", "datatype": "FP32", "shape": [1, -1, -1, 33]}]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("packing", [None, "gzip", "deflate"])
def test_raw_tensors_are_what_the_network_gives(
    triton: InferenceServerClient, engine: Engine, binary: bool, packing: str | None
) -> None:
    pixels = plane(24, 18)
    result = triton.infer(
        "small",
        given(pixels, binary=binary),
        outputs=[InferRequestedOutput("out", binary_data=binary)],
        request_id="some id",
        request_compression_algorithm=packing,
        response_compression_algorithm=packing,
    )
    assert result.get_response()["id"] == "some id"
    assert result.get_response()["model_version"] == "1"
    np.testing.assert_array_equal(result.as_numpy("out"), engine.runtime.run([pixels])[0])


def test_nan_goes_through_binary_and_json(triton: InferenceServerClient) -> None:
    pixels = plane(8, 8)
    pixels[0, 0, 4, 4] = np.nan
    found = [
        triton.infer(
            "small",
            given(pixels, binary=binary),
            outputs=[InferRequestedOutput("out", binary_data=binary)],
        ).as_numpy("out")
        for binary in (True, False)
    ]
    assert np.isnan(found[0]).any()
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("dtype", ["float32", "uint16", "uint8", "int32", "float64"])
def test_processing_takes_any_size_and_type(
    triton: InferenceServerClient, engine: Engine, dtype: str
) -> None:
    pixels = plane(37, 5, dtype)
    result = triton.infer("small", given(pixels), parameters={"processing": True})
    expected = engine.predict_sample({"raw": pixels})["out"]
    assert expected.shape == (1, 1, 37, 5)
    np.testing.assert_array_equal(result.as_numpy("out"), expected)


def test_processing_gives_the_labels_that_a_file_gets(
    triton: InferenceServerClient, tmp_path: Path
) -> None:
    package = resolve("nuclei-stardist-2d")
    source = package.location / "sample_image.tif"
    pixels = tifffile.imread(source)
    whole = predict(Engine(package), source, tmp_path / "labels.tif")
    result = triton.infer(
        "nuclei-stardist-2d",
        given(pixels[None, None], "image"),
        parameters={"processing": True},
    )
    expected = tifffile.imread(whole.files[0])
    assert expected.max() > 5
    np.testing.assert_array_equal(result.as_numpy("labels")[0, :, :, 0], expected)


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (plane(24, 19), "has size 19 along x; the network takes 8 \\+ n × 2; .*any size"),
        (plane(6, 24), "has size 6 along y"),
        (plane(8, 8, "uint16"), "is UINT16; the network takes FP32"),
        (plane(8, 8)[0], "has 3 axes; expected 4: batch, channel, y, x"),
        (plane(16, 8).reshape(1, 2, 8, 8), "has size 2 along channel"),
        (plane(16, 8).reshape(2, 1, 8, 8), "has size 2 along batch"),
    ],
)
def test_tensors_that_the_network_does_not_take_are_refused(
    triton: InferenceServerClient, pixels: np.ndarray, said: str
) -> None:
    with pytest.raises(InferenceServerException, match=said) as refused:
        triton.infer("small", given(pixels))
    assert refused.value.status() == "400"


@pytest.mark.parametrize(
    ("pixels", "said", "status"),
    [
        (plane(16, 8).reshape(1, 2, 8, 8), "size 2 along channel; with processing", "400"),
        (plane(16, 8).reshape(2, 1, 8, 8), "size 2 along batch; with processing", "400"),
        (plane(8, 8).astype(bool), "is BOOL", "400"),
        (plane(8, 8) * np.float32(np.nan), "NaN or infinite", "422"),
    ],
)
def test_images_that_cannot_be_processed_are_refused(
    triton: InferenceServerClient, pixels: np.ndarray, said: str, status: str
) -> None:
    with pytest.raises(InferenceServerException, match=said) as refused:
        triton.infer("small", given(pixels), parameters={"processing": True})
    assert refused.value.status() == status


@pytest.mark.parametrize(
    ("call", "said", "status"),
    [
        (lambda c: c.get_model_metadata("none"), "no model 'none'", "404"),
        (lambda c: c.get_model_metadata("small", "7"), "no version '7'", "404"),
        (lambda c: c.get_model_config("small", "7"), "no version '7'", "404"),
        (lambda c: c.infer("small", given(plane(8, 8)), model_version="7"), "no version", "404"),
        (lambda c: c.infer("none", given(plane(8, 8))), "no model", "404"),
        (lambda c: c.infer("small", given(plane(8, 8), "rwa")), "no input 'rwa'", "400"),
        (lambda c: c.infer("small", given(plane(8, 8)) * 2), "is there twice", "400"),
        (
            lambda c: c.infer("small", given(plane(8, 8)), outputs=[InferRequestedOutput("o")]),
            "no output 'o'; the model has out",
            "400",
        ),
        (
            lambda c: c.infer(
                "small", given(plane(8, 8)), outputs=[InferRequestedOutput("out", class_count=2)]
            ),
            "no classification",
            "400",
        ),
        (lambda c: c.infer("small", given(plane(8, 8)), sequence_id=3), "sequence_id", "400"),
        (lambda c: c.load_model("small"), "nothing at", "404"),
    ],
)
def test_what_is_not_there_is_said(
    triton: InferenceServerClient, call: Any, said: str, status: str
) -> None:
    with pytest.raises(InferenceServerException, match=said) as refused:
        call(triton)
    assert refused.value.status() == status


def test_a_token_is_asked_for(small_package: Path, tmp_path: Path) -> None:
    secret = "0123456789abcdef"
    tokens = (Token("somebody", "predict", secret),)
    with live_server(tmp_path, models=(str(small_package),), tokens=tokens) as address:
        client = InferenceServerClient(address.removeprefix("http://"))
        assert client.is_server_live()
        with pytest.raises(InferenceServerException, match="needs a token") as refused:
            client.infer("small", given(plane(8, 8)))
        assert refused.value.status() == "401"
        headers = {"Authorization": f"Bearer {secret}"}
        result = client.infer("small", given(plane(8, 8)), headers=headers)
        assert result.as_numpy("out").shape == (1, 1, 8, 8)
