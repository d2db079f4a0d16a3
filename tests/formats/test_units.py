from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopezoo.formats.units import MICROMETRES, to_micrometres, to_seconds

SPELLINGS = {
    "µm": 1.0,
    "μm": 1.0,
    "um": 1.0,
    " UM ": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometres": 1.0,
    "\\u00B5m": 1.0,
    "\\u03bcm": 1.0,
    "nm": 1e-3,
    "nanometers": 1e-3,
    "mm": 1e3,
    "cm": 1e4,
    "m": 1e6,
    "inch": 25_400.0,
    "inches": 25_400.0,
    "Å": 1e-4,
}


@pytest.mark.parametrize("unit", SPELLINGS)
def test_spellings_of_people_and_programs(unit: str) -> None:
    assert to_micrometres("2", unit) == pytest.approx(2 * SPELLINGS[unit])


@pytest.mark.parametrize(
    "unit", ["pixel", "pixels", "px", "", None, "reference frame", "s", "furlong"]
)
def test_what_is_no_length_is_unknown(unit: str | None) -> None:
    assert to_micrometres(1, unit) is None
    assert to_micrometres(0.3, unit) is None


@pytest.mark.parametrize("value", [0, -0.1, math.nan, math.inf, None, "", "wide", 10**400])
def test_what_is_no_size_is_unknown(value: object) -> None:
    assert to_micrometres(value, "µm") is None
    assert to_seconds(value, "s") is None


@given(value=st.floats(1e-6, 1e6), unit=st.sampled_from(sorted(MICROMETRES)))
def test_any_unit_scales(value: float, unit: str) -> None:
    assert to_micrometres(value, unit) == pytest.approx(value * MICROMETRES[unit])


@pytest.mark.parametrize(
    ("unit", "seconds"),
    [("s", 1), ("sec", 1), ("seconds", 1), ("ms", 1e-3), ("min", 60), ("h", 3600)],
)
def test_times(unit: str, seconds: float) -> None:
    assert to_seconds(3, unit) == pytest.approx(3 * seconds)


@given(unit=st.text(max_size=12))
def test_any_text_is_a_unit_or_unknown(unit: str) -> None:
    size = to_micrometres(1.5, unit)
    assert size is None or size > 0
