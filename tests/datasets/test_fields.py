"""Grouping images by the field that they show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.datasets import simulate_nuclei
from scopezoo.datasets.fields import group_fields


def crowded_field(seed: int) -> np.ndarray:
    image, _ = simulate_nuclei((128, 128), seed, nuclei=120)
    return image


def test_four_quarters_of_a_field_are_one_group_and_other_fields_are_not() -> None:
    field = crowded_field(1)
    images = {
        "a": field[:64, :64],
        "b": field[:64, 64:],
        "c": field[64:, :64],
        "d": field[64:, 64:],
        "other": crowded_field(2)[:64, :64],
        "smaller": crowded_field(3)[:48, :48],
    }
    assert group_fields(images) == [["a", "b", "c", "d"], ["other"], ["smaller"]]


def test_a_neighbour_of_another_size_is_found() -> None:
    field = crowded_field(4)
    assert group_fields({"wide": field[:64], "low": field[64:100]}) == [["low", "wide"]]


def test_a_field_taken_twice_is_one_group() -> None:
    field = crowded_field(5)
    noise = np.random.default_rng(0).normal(0, 1, field.shape)
    assert group_fields({"first": field, "again": field * 1.3 + noise}) == [["again", "first"]]


@settings(max_examples=20, deadline=None)
@given(shapes=st.lists(st.tuples(st.integers(8, 24), st.integers(8, 24)), min_size=1, max_size=6))
def test_every_image_is_in_exactly_one_group(shapes: list[tuple[int, int]]) -> None:
    rng = np.random.default_rng(len(shapes))
    images = {f"image {i}": rng.poisson(20, shape) for i, shape in enumerate(shapes)}
    members = [key for group in group_fields(images) for key in group]
    assert sorted(members) == sorted(images)


@pytest.mark.parametrize("value", [0, 7])
def test_empty_images_are_not_taken_for_one_field(value: int) -> None:
    images = {"a": np.full((32, 32), value), "b": np.full((32, 32), value)}
    assert group_fields(images) == [["a"], ["b"]]
