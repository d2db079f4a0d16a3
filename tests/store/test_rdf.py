"""The YAML of a package: plain data, of bounded size and depth, or a clear error."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.errors import PackageError, UnsafePackageError
from scopezoo.store.files import open_files
from scopezoo.store.rdf import MAX_DEPTH, MAX_YAML_BYTES, find_rdf, load_yaml

TEXT = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=20)
"""Without controls, which YAML does not take as they are."""
SCALARS = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | TEXT
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS | NUMBERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


@given(value=st.dictionaries(TEXT, VALUES, max_size=4))
def test_what_was_written_is_read(value: dict[str, object]) -> None:
    """JSON is YAML 1.2."""
    assert load_yaml(json.dumps(value, ensure_ascii=False).encode(), "rdf.yaml") == value


@settings(max_examples=500)
@given(content=st.binary(max_size=120) | st.text(max_size=120).map(str.encode))
def test_any_bytes_give_a_mapping_or_a_clear_error(content: bytes) -> None:
    with suppress(PackageError):
        assert isinstance(load_yaml(content, "rdf.yaml"), dict)


YAML_PIECES = (
    st.sampled_from(["a: ", "b: |- ", "&x ", "*x ", "!t ", "!!python/name:os.system ", "{", "}"])
    | st.sampled_from(["[", "]", ", ", "? ", ": ", "'", '"', "\\", "\n", "  ", "\t", "---\n"])
    | st.sampled_from(["...\n", "%YAML 1.2\n", "<<: ", "1e3", "0x1F", ".inf", ".nan", "2020-01-01"])
    | st.sampled_from(["~", "=", "0o17", "\ufeff", "\u2028", "#", " >"])
)


@settings(max_examples=500)
@given(pieces=st.lists(YAML_PIECES, max_size=30))
def test_pieces_of_yaml_give_a_mapping_or_a_clear_error(pieces: list[str]) -> None:
    with suppress(PackageError):
        assert isinstance(load_yaml("".join(pieces).encode(), "rdf.yaml"), dict)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-06", 1e-6),
        ("1.0", 1.0),
        ("+3", 3),
        ("-0.5E2", -50.0),
        (".5", 0.5),
        ("no", "no"),
        ("on", "on"),
        ("2019-12-11", "2019-12-11"),
        ("0.5.9", "0.5.9"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("null", None),
        ("~", None),
        ("", None),
        ("true", True),
        ("'1'", "1"),
        ("-.inf", -math.inf),
    ],
)
def test_scalars_of_the_core_schema(text: str, value: object) -> None:
    assert load_yaml(f"a: {text}".encode(), "rdf.yaml") == {"a": value}


def test_not_a_number() -> None:
    assert math.isnan(load_yaml(b"a: .nan", "rdf.yaml")["a"])


def test_alias_bomb() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 20)]
    with pytest.raises(UnsafePackageError, match="aliases"):
        load_yaml("\n".join(lines).encode(), "rdf.yaml")


@pytest.mark.parametrize(
    "content",
    [
        b"a: !!python/object/apply:os.system ['true']",
        b"a: !!python/name:os.system",
        b"!!python/object:os.x {}",
        b"a: !own x",
        b"a: !!binary aGVsbG8=",
        b"a: !!set {x}",
    ],
)
def test_tags(content: bytes) -> None:
    with pytest.raises(UnsafePackageError, match="tag"):
        load_yaml(content, "rdf.yaml")


def test_depth() -> None:
    deep = "a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH
    with pytest.raises(UnsafePackageError, match="levels deep"):
        load_yaml(deep.encode(), "rdf.yaml")
    endless = b"a: " + b"[" * (MAX_YAML_BYTES // 2)
    with pytest.raises(PackageError):
        load_yaml(endless, "rdf.yaml")


def test_size() -> None:
    with pytest.raises(UnsafePackageError, match="at most"):
        load_yaml(b"a: " + b"x" * MAX_YAML_BYTES, "rdf.yaml")


@pytest.mark.parametrize(
    "content",
    [
        b"a: " + b"9" * 100_000,
        b"a: 1e" + b"9" * 100_000,
        b"{[1, 2]: 3}",
        b"{{a: 1}: 3}",
        b"? [a]\n: b",
        b"- a list",
        b"a: b: c",
        b"a: 'open",
        b"",
        b"\xff\xfe\x00",
        b"a: \x00",
        b"--- a: 1\n--- b: 2\n",
    ],
)
def test_what_is_no_mapping(content: bytes) -> None:
    with pytest.raises(PackageError, match=r"rdf\.yaml"):
        load_yaml(content, "rdf.yaml")


@pytest.mark.parametrize("names", [["rdf.yaml"], ["bioimageio.yaml"], ["rdf.yaml", "model.yaml"]])
def test_find_rdf(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).touch()
    assert find_rdf(open_files(tmp_path)) == names[0]


def test_no_rdf(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "rdf.yaml").touch()
    with pytest.raises(PackageError, match=r"no rdf\.yaml"):
        find_rdf(open_files(tmp_path))
