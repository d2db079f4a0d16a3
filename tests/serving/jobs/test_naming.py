"""Names that clients give are safe, and still theirs."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from scopezoo.serving.jobs.naming import MAX_BYTES, safe_name


@given(st.text(max_size=300) | st.text("細é_.a𠀀", min_size=60, max_size=300))
def test_any_text_becomes_a_file_name(text: str) -> None:
    name = safe_name(text)
    assert 0 < len(name.encode()) <= MAX_BYTES
    assert not re.search(r"[/\\\0\s\"';:%?#&<>|*]", name)
    assert not name.startswith(".")
    assert safe_name(name) == name


def test_good_names_stay() -> None:
    for name in ("cells.tif", "Zelle_1 (2).ome.tif".replace(" ", "_"), "nœud-5µm.ome.zarr", "a+b"):
        assert safe_name(name) == name
    assert safe_name("C:\\data\\my cells.tif") == "my_cells.tif"
    assert safe_name("x" * 300 + ".tif") == "x" * 176 + ".tif"
    assert safe_name("細" * 100 + ".tif") == "細" * 58 + ".tif"
