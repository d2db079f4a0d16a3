"""Splits: whole groups, every image once, each stratum in each part."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from scopezoo.datasets import simulate_nuclei
from scopezoo.datasets.fields import group_fields
from scopezoo.datasets.segmentation import SegmentationFolder
from scopezoo.datasets.split import FRACTIONS, assign_parts, make_split, read_split
from scopezoo.errors import FileError, ImageError

SPLIT = Path(__file__).parents[2] / "collection" / "datasets" / "dsb2018" / "split.json"


@pytest.fixture
def small_dataset(tmp_path: Path) -> Path:
    """Twelve simulated images in folders of their own, the last two quarters of one field."""
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for seed in range(11):
        image, labels = simulate_nuclei((64, 128 if seed == 10 else 64), seed, nuclei=40)
        pieces = (slice(0, 64), slice(64, 128)) if seed == 10 else (slice(None),)
        for number, piece in enumerate(pieces):
            name = f"{seed:02}{'ab'[number]}.tif"
            tifffile.imwrite(tmp_path / "images" / name, image[:, piece].clip(0).astype("uint16"))
            tifffile.imwrite(tmp_path / "masks" / name, labels[:, piece].astype("uint16"))
    return tmp_path


def test_neighbours_stay_together_and_writing_keeps_all(small_dataset: Path) -> None:
    split = make_split("simulated", small_dataset, seed=3)
    assert sorted(split.images) == SegmentationFolder(small_dataset).ids()
    assert split.images["10a"].group == split.images["10b"].group
    assert split.images["10a"].part == split.images["10b"].part
    split.write(small_dataset / "split.json")
    assert read_split(small_dataset / "split.json") == split


@given(
    groups=st.lists(st.tuples(st.integers(1, 9), st.sampled_from("abc")), min_size=1, max_size=80),
    seed=st.integers(0, 5),
)
def test_each_part_gets_its_share_to_within_a_group(
    groups: list[tuple[int, str]], seed: int
) -> None:
    sizes, strata = [size for size, _ in groups], [stratum for _, stratum in groups]
    parts = assign_parts(sizes, strata, seed)
    assert parts == assign_parts(sizes, strata, seed)
    for part, fraction in FRACTIONS.items():
        got = sum(size for size, p in zip(sizes, parts, strict=True) if p == part)
        assert abs(got - fraction * sum(sizes)) <= 2 * max(sizes) * len(set(strata))


def test_the_committed_split_keeps_groups_whole() -> None:
    split = read_split(SPLIT)
    parts_of_group: dict[int, set[str]] = {}
    for entry in split.images.values():
        parts_of_group.setdefault(entry.group, set()).add(entry.part)
    assert all(len(parts) == 1 for parts in parts_of_group.values())
    assert Counter(e.part for e in split.images.values()) == {
        "training": 361,
        "validation": 48,
        "test": 72,
    }


def test_the_committed_split_is_what_the_images_give(shared_data: Path) -> None:
    folder = shared_data / "dsb2018"
    split = read_split(SPLIT)
    assert make_split("dsb2018", folder, split.seed) == split


def test_no_seam_runs_between_two_parts(shared_data: Path) -> None:
    data = SegmentationFolder(shared_data / "dsb2018")
    split = read_split(SPLIT)
    test = {key: data.image(key) for key in split.ids("test")}
    rest = {key: data.image(key) for key in split.ids("training")}
    for group in group_fields(test | rest):
        assert len({key in test for key in group}) == 1


def test_what_is_missing_is_named(small_dataset: Path) -> None:
    with pytest.raises(FileError, match=r"no folder 'images'.*--data"):
        SegmentationFolder(small_dataset / "nowhere")
    (small_dataset / "masks" / "03a.tif").unlink()
    with pytest.raises(FileError, match=r"lacks 03a\.tif"):
        SegmentationFolder(small_dataset).ids()
    with pytest.raises(FileError, match="missing"):
        read_split(small_dataset / "split.json")


@pytest.mark.parametrize("content", ["", "{", '{"dataset": "a", "seed": 1, "images": {}, "b": 2}'])
def test_what_is_no_split_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "split.json").write_text(content)
    with pytest.raises(FileError, match="not a split file"):
        read_split(tmp_path / "split.json")


def test_a_broken_image_is_named(small_dataset: Path) -> None:
    broken = small_dataset / "images" / "00a.tif"
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.raises(ImageError, match=r"00a\.tif"):
        SegmentationFolder(small_dataset).image("00a")
