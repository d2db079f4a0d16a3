"""What looks at a stranger's bytes gives a problem or none, whatever the bytes."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.store.references import references
from scopezoo.validation.agreement import Tolerance, compare
from scopezoo.validation.npy import npy_problem
from scopezoo.validation.onnx_file import onnx_facts, onnx_problems
from scopezoo.validation.pictures import document_problem, picture_problem, sample_problem
from scopezoo.validation.subject import skipped_weights
from tests.validation.packages import CARD, good_rdf, network, npy, png

GOOD = {
    "npy": npy(np.zeros((2, 3), np.float32)),
    "png": png(),
    "onnx": network().SerializeToString(),
}


@st.composite
def damaged(draw: st.DrawFn, kind: str) -> bytes:
    """A good file with some bytes changed, cut or added."""
    content = bytearray(GOOD[kind])
    for _ in range(draw(st.integers(1, 8))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.integers(0, len(content)))]) + draw(st.binary(max_size=6))


@settings(max_examples=300)
@given(content=damaged("npy") | st.binary(max_size=200))
def test_npy(content: bytes) -> None:
    """What is found good is what numpy loads, without a pickle."""
    if npy_problem(content) is None:
        assert np.load(io.BytesIO(content), allow_pickle=False).dtype.kind in "biuf"


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "|u1", "<i8", "|b1", "<f2"])
def test_good_npy(dtype: str) -> None:
    assert npy_problem(npy(np.ones((3, 1, 2), dtype=dtype))) is None
    assert npy_problem(npy(np.ones((3, 1, 2), dtype=dtype)) + b"x") is not None


@settings(max_examples=200)
@given(content=damaged("png") | st.binary(max_size=200))
def test_pictures(content: bytes) -> None:
    found = picture_problem("a.png", content)
    assert found is None or found.startswith("is no readable PNG") or "pixels" in found
    for name in ("a.jpg", "a.svg", "a"):
        assert isinstance(picture_problem(name, content), str)
    for name in ("a.tif", "a.gif"):
        assert isinstance(sample_problem(name, content), str)


def test_good_pictures() -> None:
    assert picture_problem("cover.PNG", png()) is None
    assert "pixels" in str(picture_problem("cover.png", png(20_000, 6_000)))


@settings(max_examples=300, deadline=None)
@given(content=damaged("onnx") | st.binary(max_size=200))
def test_onnx(content: bytes) -> None:
    if not onnx_problems(content):
        assert onnx_facts(content)["nodes"] > 0


def test_good_onnx() -> None:
    assert onnx_problems(GOOD["onnx"]) == []
    assert onnx_facts(GOOD["onnx"]) == {"ir_version": 8, "opset": 17, "nodes": 1, "parameters": 25}


@given(content=st.binary(max_size=100))
def test_documents(content: bytes) -> None:
    found = document_problem(content)
    assert found is None or isinstance(found, str)


def test_good_document() -> None:
    assert document_problem(CARD) is None
    assert document_problem("μm, a < b & on = off, <b>bold</b>".encode()) is None


ANY = st.recursive(
    st.none() | st.integers() | st.text(max_size=6) | st.just("http://x.org/a"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["source", "sha256", "architecture", "onnx"]), inner)
    ),
    max_leaves=8,
)


@given(changes=st.dictionaries(st.sampled_from(list(good_rdf())), ANY), trust=st.booleans())
def test_references_of_any_description(changes: dict[str, Any], trust: bool) -> None:
    rdf = {**good_rdf(), **changes}
    for reference in references(rdf):
        assert isinstance(reference.source, str)
    assert "onnx" not in skipped_weights(rdf, set(), trust)


def test_references_of_the_good_package() -> None:
    found = {reference.where: reference.source for reference in references(good_rdf())}
    assert found == {
        "documentation": "README.md",
        "covers[0]": "cover.png",
        "inputs[0].test_tensor": "in.npy",
        "outputs[0].test_tensor": "out.npy",
        "weights.onnx": "weights.onnx",
    }


def test_references_of_format_04() -> None:
    rdf = {
        "test_inputs": ["in.npy"],
        "sample_outputs": ["out.png"],
        "attachments": {"files": ["notes.txt"]},
        "cite": [{"text": "x", "source": "http://no"}],
        "weights": {
            "pytorch_state_dict": {
                "source": "http://x.org/w.pt",
                "architecture": "net.py:Net",
                "architecture_sha256": "ab",
                "dependencies": "conda:environment.yaml",
                "kwargs": {"source": "no file"},
            }
        },
    }
    found = {r.where: (r.source, r.sha256, r.weights_format) for r in references(rdf)}
    at = "weights.pytorch_state_dict"
    assert found == {
        "test_inputs[0]": ("in.npy", None, None),
        "sample_outputs[0]": ("out.png", None, None),
        "attachments.files[0]": ("notes.txt", None, None),
        at: ("http://x.org/w.pt", None, "pytorch_state_dict"),
        f"{at}.architecture": ("net.py", "ab", "pytorch_state_dict"),
        f"{at}.dependencies": ("environment.yaml", None, "pytorch_state_dict"),
    }
    assert "is a URL" in skipped_weights(rdf, set(), True)["pytorch_state_dict"]


FLOATS = st.floats(-1e6, 1e6, width=32)


@given(expected=st.lists(FLOATS, min_size=1, max_size=20), shift=st.floats(0, 10))
def test_agreement_is_that_of_the_specification(expected: list[float], shift: float) -> None:
    wanted = np.array(expected, np.float32)
    actual = wanted.astype(np.float64) + shift
    tolerance = Tolerance(relative=1e-3, absolute=1e-3, mismatched_ppm=0)
    found = compare(actual, wanted, tolerance)
    is_close = np.isclose(actual, wanted, rtol=1e-3, atol=1e-3)
    assert found.within(tolerance) == bool(is_close.all())
    assert found.mismatched_ppm == pytest.approx(1e6 * (~is_close).mean())


def test_agreement_of_odd_values() -> None:
    one = np.array([1.0, np.nan])
    assert compare(one, one, Tolerance()).within(Tolerance())
    assert "finite" in str(compare(one, np.array([1.0, 2.0]), Tolerance()).problem)
    assert "shape" in str(compare(one, one[:1], Tolerance()).problem)
