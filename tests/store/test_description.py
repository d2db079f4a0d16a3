"""What is read of a description, of both formats, and what is said of a wrong one."""

from __future__ import annotations

import copy
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.errors import PackageError, UnsafePackageError
from scopezoo.store import open_package
from scopezoo.store.description import parse_description
from scopezoo.store.files import FolderFiles
from scopezoo.store.rdf import MAX_YAML_BYTES, load_yaml
from scopezoo.store.tensors import (
    FileReference,
    FixedSize,
    ReferenceSize,
    SteppedSize,
    UnknownSize,
)

RDF_05: dict[str, Any] = {
    "format_version": "0.5.4",
    "type": "model",
    "name": "five",
    "id": "happy-bee",
    "version": "1.0",
    "inputs": [
        {
            "id": "raw",
            "axes": [
                {"type": "batch"},
                {"type": "channel", "channel_names": ["a", "b"]},
                {"type": "space", "id": "y", "size": {"min": 16, "step": 8}, "scale": 0.5},
                {"type": "space", "id": "x", "size": 64, "unit": "micrometer"},
            ],
            "test_tensor": {"source": "in.npy", "sha256": "0" * 64},
            "data": {"type": "uint8"},
            "preprocessing": [{"id": "scale_linear", "kwargs": {"gain": 2.0}}],
        }
    ],
    "outputs": [
        {
            "id": "out",
            "axes": [
                {"type": "batch"},
                {"type": "channel"},
                {
                    "type": "space",
                    "id": "y",
                    "size": {"tensor_id": "raw", "axis_id": "y", "offset": -2},
                    "halo": 4,
                },
                {"type": "space", "id": "x", "size": {"min": 1, "max": 9}},
            ],
            "test_tensor": {"source": "out.npy"},
        }
    ],
    "weights": {"onnx": {"source": "w.onnx", "sha256": "1" * 64}, "torchscript": None},
    "config": {
        "bioimageio": {
            "reproducibility_tolerance": [{"relative_tolerance": 0.01, "absolute_tolerance": 0.1}]
        }
    },
}
RDF_04: dict[str, Any] = {
    "format_version": "0.4.9",
    "type": "model",
    "name": "four",
    "inputs": [
        {
            "name": "raw",
            "axes": "bcyx",
            "data_type": "float32",
            "shape": {"min": [1, 1, 32, 32], "step": [0, 0, 16, 16]},
            "preprocessing": [
                {"name": "zero_mean_unit_variance", "kwargs": {"mode": "per_sample", "axes": "yx"}}
            ],
        }
    ],
    "outputs": [
        {
            "name": "out",
            "axes": "bcyx",
            "shape": {
                "reference_tensor": "raw",
                "scale": [1.0, 0.0, 2.0, 1.0],
                "offset": [0.0, 1.5, 0.0, -2.0],
            },
            "halo": [0, 0, 8, 8],
        }
    ],
    "test_inputs": ["in.npy"],
    "test_outputs": ["out.npy"],
    "weights": {"onnx": {"source": "w.onnx"}},
}


def test_format_05() -> None:
    description = parse_description(RDF_05)
    raw, out = description.inputs[0], description.outputs[0]
    assert (description.name, description.id, description.version) == ("five", "happy-bee", "1.0")
    assert raw.axis_ids == ("batch", "channel", "y", "x")
    assert raw.axis("channel").channel_names == ("a", "b")
    assert [axis.size for axis in raw.axes[1:]] == [FixedSize(2), SteppedSize(16, 8), FixedSize(64)]
    assert (raw.dtype, out.dtype) == ("uint8", "float32")
    assert (raw.axis("y").scale, raw.axis("x").unit) == (0.5, "micrometer")
    assert raw.test_tensor == FileReference("in.npy", "0" * 64)
    assert raw.steps == ({"id": "scale_linear", "kwargs": {"gain": 2.0}},)
    assert out.axis("y").size == ReferenceSize("raw", "y", -2)
    assert out.axis("y").halo == 4
    assert out.axis("x").size == UnknownSize()
    assert list(description.weights) == ["onnx"]
    assert description.tolerance == (0.01, 0.1, 100)


def test_format_04() -> None:
    description = parse_description(RDF_04)
    raw, out = description.inputs[0], description.outputs[0]
    assert raw.axis_ids == ("batch", "channel", "y", "x")
    assert [axis.size for axis in raw.axes] == [
        FixedSize(1),
        FixedSize(1),
        SteppedSize(32, 16),
        SteppedSize(32, 16),
    ]
    assert raw.test_tensor == FileReference("in.npy")
    assert out.axis("y").size == ReferenceSize("raw", "y", 0)
    assert out.axis("y").scale == 0.5
    assert out.axis("x").size == ReferenceSize("raw", "x", -4)
    assert out.axis("channel").size == FixedSize(3)
    assert out.axis("y").halo == 8
    assert "zero_mean_unit_variance" in {step["id"] for step in raw.steps}
    assert description.tolerance == (1e-3, 1e-3, 100)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a description, its own included."""
    found = [path]
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            found += places(item, (*path, key))
    return found


def changed(rdf: dict[str, Any], path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    result = copy.deepcopy(rdf)
    target: Any = result
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return result


ODD = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "raw", "out", "y", "bcyx", "bbyx", "../x", "0.4.0", "0.5.0", "a" * 999])
    | st.text(max_size=5)
    | st.lists(st.integers(-2, 3) | st.none() | st.text(max_size=2), max_size=5)
    | st.dictionaries(
        st.sampled_from(["source", "min", "step", "tensor_id", "axis_id", "id", "type", "name"]),
        st.integers(-1, 3) | st.sampled_from(["raw", "out", "y"]),
        max_size=3,
    )
)


@settings(max_examples=800)
@given(data=st.data())
def test_a_spoiled_description_gives_a_clear_error(data: st.DataObject) -> None:
    """Any values in place of any others: a Description, or a PackageError of one line."""
    rdf = data.draw(st.sampled_from([RDF_05, RDF_04]))
    for _ in range(data.draw(st.integers(1, 3))):
        paths = [path for path in places(rdf) if path]
        rdf = changed(rdf, data.draw(st.sampled_from(paths)), data.draw(ODD))
    said = ""
    try:
        assert len(parse_description(rdf).tolerance) == 3
    except PackageError as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < 2000


@settings(max_examples=200)
@given(
    rdf=st.dictionaries(
        st.sampled_from([*RDF_05, *RDF_04]) | st.text(max_size=4),
        st.recursive(
            ODD, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v, max_size=3)
        ),
        max_size=8,
    )
)
def test_any_mapping_gives_a_description_or_a_clear_error(rdf: dict[str, Any]) -> None:
    with suppress(PackageError):
        parse_description(rdf)


@pytest.mark.parametrize(
    ("path", "value", "word"),
    [
        (("format_version",), "0.3.6", "expected 0.4 or 0.5"),
        (("format_version",), None, "no 'format_version'"),
        (("type",), "dataset", "not a model"),
        (("weights",), {}, "weights"),
        (("weights", "onnx"), {}, "names no source"),
        (("inputs",), [], "expected a list of mappings"),
        (("inputs", 0, "axes", 2, "size"), 0, "whole number from 1"),
        (("inputs", 0, "axes", 2, "size"), {"min": 1, "step": 10**12}, "whole number"),
        (("inputs", 0, "axes", 2, "scale"), 0, "above 0"),
        (("inputs", 0, "axes", 2, "scale"), 5e-324, "above 0"),
        (("inputs", 0, "axes", 2, "scale"), 10**399, "400 digits"),
        (("inputs", 0, "axes", 2, "type"), "time machine", "axis type"),
        (("inputs", 0, "axes", 2, "id"), "x", "occur twice"),
        (("outputs", 0, "id"), "raw", "occur twice"),
        (("outputs", 0, "axes", 2, "halo"), -1, "whole number from 0"),
        (("outputs", 0, "axes", 2, "size", "tensor_id"), "gone", "no tensor 'gone'"),
        (("outputs", 0, "axes", 2, "size", "axis_id"), "q", "refers to axis 'q'"),
    ],
)
def test_messages_name_the_place(path: tuple[Any, ...], value: Any, word: str) -> None:
    with pytest.raises(PackageError, match=word):
        parse_description(changed(RDF_05, path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("outputs", 0, "shape", "offset", 1), 10**12),
        (("outputs", 0, "shape", "offset", 1), float("inf")),
        (("outputs", 0, "shape", "offset", 1), float("nan")),
        (("outputs", 0, "shape", "scale", 2), float("inf")),
        (("outputs", 0, "shape", "scale", 2), float("nan")),
        (("outputs", 0, "shape", "scale", 2), -1.0),
        (("inputs", 0, "shape", "min", 1), 2**31 - 1),
    ],
)
def test_absurd_numbers_of_format_04(path: tuple[Any, ...], value: Any) -> None:
    with pytest.raises(PackageError):
        parse_description(changed(RDF_04, path, value))


@pytest.mark.parametrize("name", ["bmz_nuclei_broad_dynamic", "bmz_nuclei_broad_fixed"])
def test_real_packages(shared_data: Path, name: str) -> None:
    package = open_package(shared_data / name)
    description = package.description
    assert [tensor.id for tensor in description.inputs] == ["raw"]
    assert description.outputs[0].axis("y").halo == 32
    assert len(package.read(description.weights["onnx"].file)) > 1_000_000
    if name.endswith("fixed"):
        with pytest.raises(UnsafePackageError, match="URL"):
            package.read(description.weights["pytorch_state_dict"].file)


def test_real_package_of_format_04(shared_data: Path) -> None:
    path = shared_data / "bmz_nuclei_broad_fixed" / "v0_4_9.bioimageio.yaml"
    old = parse_description(load_yaml(path.read_bytes(), path.name))
    new = open_package(path.parent).description
    for one, other in ((old.inputs[0], new.inputs[0]), (old.outputs[0], new.outputs[0])):
        assert one.id == other.id
        assert one.axis_ids == other.axis_ids
        assert [a.halo for a in one.axes] == [a.halo for a in other.axes]
        assert one.test_tensor is not None
        assert other.test_tensor is not None
        assert one.test_tensor.source == other.test_tensor.source


def test_a_file_whose_hash_is_wrong(tmp_path: Path) -> None:
    rdf = changed(RDF_05, ("weights", "onnx", "sha256"), "ab" * 32)
    (tmp_path / "rdf.yaml").write_text(repr(rdf).replace("None", "null"))
    (tmp_path / "w.onnx").write_bytes(b"exchanged")
    package = open_package(tmp_path)
    with pytest.raises(PackageError, match="SHA-256"):
        package.read(package.description.weights["onnx"].file)


def test_a_description_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "rdf.yaml").open("wb") as file:
        file.truncate(MAX_YAML_BYTES + 1)
    monkeypatch.setattr(FolderFiles, "read", lambda *_: pytest.fail("it was read"))
    with pytest.raises(UnsafePackageError, match="at most"):
        open_package(tmp_path)
