"""The split: no specimen, and no field, is in two parts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.datasets.paired import Dataset
from scopezoo.datasets.paired import splitting as module
from scopezoo.datasets.paired.checking import split_findings
from scopezoo.datasets.paired.duplicates import alike_fields
from scopezoo.datasets.paired.manifest import ImageEntry, Manifest, Pair, Specimen, VoxelSize
from scopezoo.datasets.paired.splitting import split_dataset
from scopezoo.datasets.paired.store import NewImage
from scopezoo.datasets.split import FRACTIONS
from scopezoo.errors import UsageError
from tests.datasets.paired.pairs import dataset, known_pair


class Listed:
    """A dataset of names alone."""

    def __init__(self, specimens: list[str]) -> None:
        self.location = Path("listed")
        self.manifest = Manifest(id="d", name="D")
        self.add(specimens)

    def add(self, specimens: list[str]) -> None:
        first = len(self.pairs)
        made = [_pair(first + i, specimen) for i, specimen in enumerate(specimens)]
        self.manifest = self.manifest.model_copy(update={"pairs": [*self.pairs, *made]})

    @property
    def pairs(self) -> list[Pair]:
        return self.manifest.pairs

    def update(self, change) -> None:  # type: ignore[no-untyped-def]
        self.manifest = change(self.manifest)


def _pair(number: int, specimen: str) -> Pair:
    source, target = (
        ImageEntry(
            path=f"fields/{number}/{side}.ome.zarr",
            instrument="i",
            sha256="0" * 64,
            axes="YX",
            shape=(1, 1),
            dtype="uint8",
            voxel_um=VoxelSize(y=1, x=1),
        )
        for side in ("source", "target")
    )
    return Pair(id=f"p{number}", specimen=specimen, source=source, target=target)


names = st.lists(st.sampled_from([f"m{n}" for n in range(12)]), min_size=3, max_size=60)


@settings(max_examples=60)
@given(first=names, later=names, seed=st.integers(0, 9), data=st.data())
def test_a_split_never_leaks(
    first: list[str], later: list[str], seed: int, data: st.DataObject
) -> None:
    listed = Listed(first)
    ids = [pair.id for pair in listed.pairs]
    alike = data.draw(st.lists(st.lists(st.sampled_from(ids), min_size=2, max_size=3), max_size=2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "alike_fields", lambda _dataset: alike)
        if not _enough(listed, alike):
            with pytest.raises(UsageError, match="independent specimens"):
                split_dataset(listed, seed)  # type: ignore[arg-type]
            return
        made = split_dataset(listed, seed)  # type: ignore[arg-type]
        _check(listed, alike)
        assert all(made.parts[part] for part in FRACTIONS)
        assert split_dataset(listed, seed) == made  # type: ignore[arg-type]
        again = Listed(first)
        assert split_dataset(again, seed) == made  # type: ignore[arg-type]
        listed.add(later)
        grown = split_dataset(listed, seed)  # type: ignore[arg-type]
        _check(listed, alike)
        assert all(set(made.parts[part]) <= set(grown.parts[part]) for part in FRACTIONS)


def _enough(listed: Listed, alike: list[list[str]]) -> bool:
    """Whether there are three groups of specimens, by painting over what belongs together."""
    colour = {pair.specimen: number for number, pair in enumerate(listed.pairs)}
    specimen_of = {pair.id: pair.specimen for pair in listed.pairs}
    for _ in alike:
        for group in alike:
            lowest = min(colour[specimen_of[one]] for one in group)
            for one in group:
                colour[specimen_of[one]] = lowest
    return len(set(colour.values())) >= len(FRACTIONS)


def _check(listed: Listed, alike: list[list[str]]) -> None:
    split = listed.manifest.split
    assert split is not None
    placed = Counter(name for ids in split.parts.values() for name in ids)
    assert placed == Counter({pair.specimen for pair in listed.pairs})
    assert split_findings(listed.manifest) == []
    specimen_of = {pair.id: pair.specimen for pair in listed.pairs}
    for group in alike:
        assert len({split.part_of(specimen_of[one]) for one in group}) == 1


def test_parts_are_as_large_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "alike_fields", lambda _dataset: [])
    listed = Listed([f"m{n}" for n in range(40) for _ in range(n % 4 + 1)])
    made = split_dataset(listed, 0, {"training": 0.6, "validation": 0.2, "test": 0.2})  # type: ignore[arg-type]
    count = Counter(made.part_of(pair.specimen) for pair in listed.pairs)
    assert [count[part] / 100 for part in FRACTIONS] == pytest.approx([0.6, 0.2, 0.2], abs=0.03)
    other = split_dataset(listed, 1, replace=True)  # type: ignore[arg-type]
    assert other.parts != made.parts


def test_specimens_go_where_they_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "alike_fields", lambda _dataset: [])
    listed = Listed([f"m{n}" for n in range(10)])
    made = split_dataset(listed, 0, fixed={"m3": "test", "m4": "test"})  # type: ignore[arg-type]
    assert made.parts["test"] == ["m3", "m4"]
    with pytest.raises(UsageError, match="m3 is in test already"):
        split_dataset(listed, 0, fixed={"m3": "training"})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no pair is of specimen 'x'"):
        split_dataset(listed, 0, fixed={"x": "training"})  # type: ignore[arg-type]


@pytest.mark.parametrize("specimens", [["a"], ["a", "b"]])
def test_too_few_specimens_are_refused(
    monkeypatch: pytest.MonkeyPatch, specimens: list[str]
) -> None:
    monkeypatch.setattr(module, "alike_fields", lambda _dataset: [])
    with pytest.raises(UsageError, match="without a leak"):
        split_dataset(Listed(specimens * 5), 0)  # type: ignore[arg-type]


def test_pairs_that_failed_fill_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "alike_fields", lambda _dataset: [])
    for seed in range(10):
        listed = Listed(["a", "b", "c", "d", "e"])
        failed = [p.model_copy(update={"status": "failed"}) for p in listed.pairs[:2]]
        pairs = [*failed, *listed.pairs[2:]]
        listed.manifest = listed.manifest.model_copy(update={"pairs": pairs})
        made = split_dataset(listed, seed)  # type: ignore[arg-type]
        assert {"a", "b"} < set(made.parts["training"])
        assert all(set(ids) & set("cde") for ids in made.parts.values())
    listed.manifest = listed.manifest.model_copy(update={"pairs": pairs[:4]})
    with pytest.raises(UsageError, match="2 independent specimens with usable pairs"):
        split_dataset(listed, 0, replace=True)  # type: ignore[arg-type]


def test_wrong_calls_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "alike_fields", lambda _dataset: [])
    listed = Listed(["a", "b", "c"])
    with pytest.raises(UsageError, match="add up to"):
        split_dataset(listed, 0, {"training": 0.9, "test": 0.3})  # type: ignore[arg-type]
    split_dataset(listed, 0)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="split already, with seed 0"):
        split_dataset(listed, 1)  # type: ignore[arg-type]


def _retake(made: Dataset, of: int, specimen: str, seed: int) -> None:
    """The field of pair `of` once more, with other noise."""
    images = []
    for one in known_pair(of):
        noise = np.random.default_rng(seed).normal(0, 300, one.shape).astype(np.float32)
        images.append(NewImage(one.with_data(one.read() + noise, "ZYX"), "wide"))
    made.add(f"{specimen}_again", Specimen(id=specimen), images[0], images[1])


def test_a_field_taken_twice_ties_its_specimens(tmp_path: Path) -> None:
    made = dataset(tmp_path / "d", ["a", "b", "c", "d"], registered=False)
    assert alike_fields(made) == []
    _retake(made, 1, "e", 7)
    assert alike_fields(made) == [["b_1", "e_again"]]
    split = split_dataset(made, 0)
    assert split.part_of("b") == split.part_of("e")
    assert Dataset.open(tmp_path / "d").manifest.split == split


def test_a_leak_that_came_later_is_refused(tmp_path: Path) -> None:
    made = dataset(tmp_path / "d", ["a", "b", "c"], registered=False)
    split_dataset(made, 0)
    split = made.manifest.split
    assert split is not None
    other = next(name for name in "abc" if name != "b")
    _retake(made, 1, other, 7)
    with pytest.raises(UsageError, match="the split leaks"):
        split_dataset(made, 0)
