"""The numbers of nuclei say how they look, and nothing of that is lost on the way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.datasets import simulate_nuclei
from scopezoo.models.looks import LEVELS, LOOKS, STEP, looks_of, numbered, with_texture

torch = pytest.importorskip("torch")

from scopezoo.models.pix2pix import label_features  # noqa: E402

LABELS = simulate_nuclei((64, 80), 3, nuclei=25)[1]
COUNT = int(LABELS.max())


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, LOOKS - 1), min_size=COUNT, max_size=COUNT), st.integers(0, 99))
def test_the_network_is_told_the_looks_whatever_the_texture(looks: list[int], seed: int) -> None:
    wanted = np.array(looks)
    found = numbered(LABELS, wanted)
    assert [len(np.unique(found[n == LABELS])) for n in range(COUNT + 1)] == [1] * (COUNT + 1)
    assert len(np.unique(found)) == COUNT + 1
    textured = with_texture(found, np.random.default_rng(seed))
    assert np.array_equal(np.rint(textured), found)
    told = label_features(torch.from_numpy(textured)[None, None])[0].numpy()
    for number in range(1, COUNT + 1):
        y, x = np.argwhere(number == LABELS)[0]
        look = wanted[number - 1]
        assert told[3, y, x] * (LEVELS - 1) == pytest.approx(STEP * look % LEVELS)
        assert told[4, y, x] * 3 == pytest.approx(look // LEVELS)


def test_looks_are_those_of_the_image() -> None:
    labels = np.zeros((30, 90), np.int32)
    image = np.zeros((30, 90), np.float32)
    noise = np.random.default_rng(0).normal(0, 1, (20, 20))
    for number, (mean, deviation) in enumerate([(0.2, 0.01), (0.8, 0.01), (0.4, 0.2)]):
        place = np.s_[5:25, 5 + 30 * number : 25 + 30 * number]
        labels[place] = 7 * (3 - number)
        image[place] = mean + deviation * noise
    looks = looks_of(image, labels)
    assert (STEP * looks % LEVELS).tolist() == [3, 7, 0]
    assert (looks // LEVELS).tolist() == [3, 0, 0]
    assert looks_of(image, np.zeros_like(labels)).size == 0
    assert not numbered(np.zeros_like(labels), np.zeros(0, np.int64)).any()


def test_labels_from_one_show_every_look() -> None:
    numbers = torch.arange(1, LOOKS + 1).reshape(1, 1, 1, -1).repeat(1, 1, 9, 1)
    told = label_features(numbers)[0, 3:5, 4].T.numpy()
    assert len(np.unique(told, axis=0)) == LOOKS
