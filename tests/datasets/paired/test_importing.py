"""Import: everything wrong is told before anything is written, and the rest goes on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scopezoo.datasets.paired import Dataset
from scopezoo.datasets.paired.checking import check_dataset
from scopezoo.datasets.paired.copying import copy_regions
from scopezoo.datasets.paired.importing import UNFINISHED, import_pairs, survey
from scopezoo.datasets.paired.matching import match_names
from scopezoo.datasets.simulation import read_config, simulate_dataset
from scopezoo.errors import FileError, UsageError
from scopezoo.image import Image
from tests.datasets.paired.pairs import folders, known_pair, write


def told(root: Path, **options: Any) -> str:
    found = survey(root / "source", root / "target", **options)
    return "\n".join(finding.line() for finding in found.findings)


def test_what_is_imported_is_what_was_there(tmp_path: Path) -> None:
    source_dir, target_dir = folders(tmp_path, ["s1_a", "s1_b", "s2_a"], name="Known")
    found = survey(source_dir, target_dir)
    dataset, more = import_pairs(found, tmp_path / "d")
    assert more == []
    assert [pair.id for pair in dataset.pairs] == ["s1_a", "s1_b", "s2_a"]
    assert [pair.specimen for pair in dataset.pairs] == ["s1", "s1", "s2"]
    for number, pair in enumerate(dataset.pairs):
        for entry, one in zip((pair.source, pair.target), known_pair(number), strict=True):
            assert np.array_equal(dataset.image(entry).read(), one.read())
            assert entry.original == f"{pair.id}.ome.tif"
    assert check_dataset(dataset).passed
    assert not (tmp_path / "d" / UNFINISHED).exists()


def test_a_simulated_dataset_needs_no_options(tmp_path: Path) -> None:
    config = read_config("widefield-confocal").small()
    config = config.model_copy(update={"specimens": config.specimens[:2]})
    names = simulate_dataset(config, tmp_path / "sim")
    found = survey(tmp_path / "sim" / "source", tmp_path / "sim" / "target")
    assert not [finding for finding in found.findings if finding.level == "error"]
    dataset, _ = import_pairs(found, tmp_path / "d")
    assert sorted(pair.id for pair in dataset.pairs) == sorted(names)
    assert [one.na for one in dataset.manifest.instruments] == [1.3, 1.4]
    assert {one.id for one in dataset.manifest.specimens} == {s.name for s in config.specimens}
    assert all(one.simulated and one.stain for one in dataset.manifest.specimens)
    assert dataset.manifest.license == config.licence


def _nan(one: Image) -> Image:
    pixels = np.array(one.read())
    pixels[pixels.shape[0] // 2, 3, 3] = np.nan
    return replace(one, data=pixels)


def _hidden_nan(one: Image) -> Image:
    pixels = np.array(one.read())
    pixels[0, 3, 3] = np.inf
    return replace(one, data=pixels)


SPOILT: dict[str, tuple[Any, str]] = {
    "nan": (_nan, "NaN or infinite"),
    "nan out of the middle": (_hidden_nan, "NaN or infinite"),
    "blank": (lambda one: replace(one, data=np.full_like(one.read(), 5)), "is blank"),
    "plane": (lambda one: Image(one.read()[3], "YX", one.pixel_size_um), "2D against 3D"),
    "channels": (
        lambda one: replace(
            one,
            data=np.stack([one.read()] * 2, axis=1),
            axes="ZCYX",
            channel_names=("DAPI", "actin"),
        ),
        r"2 channels \(DAPI, actin\), expected 1",
    ),
    "size": (
        lambda one: replace(one, pixel_size_um={**one.pixel_size_um, "Y": 0.3, "X": 0.3}),
        "the file says 0.3 µm along Y, the metadata 0.2 µm",
    ),
    "units": (
        lambda one: replace(one, pixel_size_um={a: 1e-3 * v for a, v in one.pixel_size_um.items()}),
        "units look mixed",
    ),
    "unknown size": (
        lambda one: replace(one, pixel_size_um={"Y": 0.2, "X": 0.2}),
        "no pixel size along Z",
    ),
    "swapped": (
        lambda one: replace(one, data=np.array(one.read()[:, :4, :5].T.repeat(9, axis=0))),
        "axes look swapped",
    ),
    "frames": (
        lambda one: replace(one, data=np.stack([one.read()] * 2), axes="TZYX"),
        "time series of 2 frames",
    ),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_a_bad_pair_is_told_and_the_rest_goes_on(tmp_path: Path, kind: str) -> None:
    spoil, message = SPOILT[kind]
    voxel = {} if kind == "unknown size" else {"voxel_size_um": {"y": 0.2, "x": 0.2}}
    folders(tmp_path, ["s_1", "s_2", "s_3"], source=voxel)
    (tmp_path / "source" / "s_2.ome.tif").unlink()
    write(tmp_path / "source" / "s_2.ome.tif", spoil(known_pair(1)[0]))
    found = survey(tmp_path / "source", tmp_path / "target")
    dataset, more = import_pairs(found, tmp_path / "d")
    errors = [one for one in [*found.findings, *more] if one.level == "error"]
    assert [error.about for error in errors] == ["s_2"] * len(errors)
    assert any(re.search(message, error.message) for error in errors), errors
    assert [pair.id for pair in dataset.pairs] == ["s_1", "s_3"]
    assert sorted(path.name for path in (tmp_path / "d" / "fields").iterdir()) == ["s_1", "s_3"]
    assert check_dataset(dataset).passed


def test_a_damaged_file_and_one_of_a_maker_are_told(tmp_path: Path) -> None:
    folders(tmp_path, ["s_1", "s_2", "s_3"])
    whole = (tmp_path / "source" / "s_1.ome.tif").read_bytes()
    (tmp_path / "source" / "s_1.ome.tif").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "source" / "s_2.ome.tif").unlink()
    (tmp_path / "source" / "s_2.czi").write_bytes(b"ZISRAWFILE" + bytes(100))
    text = told(tmp_path)
    assert "error: s_1: source" in text
    assert re.search(r"error: s_2: source: .*Zeiss CZI", text)
    assert "s_3" not in text


def test_units_that_one_file_mixes_up_show_without_metadata(tmp_path: Path) -> None:
    folders(tmp_path, ["s_1", "s_2", "s_3"])
    (tmp_path / "source" / "s_2.ome.tif").unlink()
    odd = known_pair(1)[0]
    odd = replace(odd, pixel_size_um={"Z": 0.4, "Y": 0.2 * 2.54, "X": 0.2 * 2.54})
    write(tmp_path / "source" / "s_2.ome.tif", odd)
    assert "error: s_2: source: voxel size along y is 0.508 µm" in told(tmp_path)


def test_files_without_partner_are_told(tmp_path: Path) -> None:
    folders(tmp_path, ["s_1", "s_2"])
    (tmp_path / "target" / "s_2.ome.tif").rename(tmp_path / "target" / "s_9.ome.tif")
    write(tmp_path / "target" / "s_1.tif", known_pair(3)[1])
    text = told(tmp_path)
    assert text.count("has no partner") == 2
    assert "2 target files have this field's name" in text


@pytest.mark.parametrize(
    ("sources", "targets", "ids"),
    [
        (["a_1_wf.tif", "a_2_wf.tif"], ["a_1_conf.tif", "a_2_conf.tif"], ["a_1", "a_2"]),
        (["fish/1.tif", "fish/2.tif"], ["fish/1.tif", "fish/2.tif"], ["fish_1", "fish_2"]),
        (["low_m1-7.ome.tif"], ["high_m1-7.tiff"], ["m1_7"]),
        (["m 1_α.tif"], ["m 1_α.png"], ["m-1_-"]),
    ],
)
def test_names_that_people_give_match(
    tmp_path: Path, sources: list[str], targets: list[str], ids: list[str]
) -> None:
    for folder, names in (("a", sources), ("b", targets)):
        for name in names:
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    matches, findings = match_names(tmp_path / "a", tmp_path / "b", None)
    assert ([match.id for match in matches], findings) == (ids, [])


@pytest.mark.parametrize(
    "pattern", [r"plate\d+/(?P<specimen>w\d+)/(?:cam1_|cam2_)(?P<field>\d+)", None]
)
def test_a_pattern_or_a_table_pairs_other_names(tmp_path: Path, pattern: str | None) -> None:
    source, target = known_pair()
    for well in ("w1", "w2"):
        write(tmp_path / "source" / "plate1" / well / "cam1_07.tif", source)
        write(tmp_path / "target" / "plate1" / well / "cam2_07.tif", target)
    table = tmp_path / "pairs.csv"
    rows = [f"plate1/{w}/cam1_07.tif,plate1/{w}/cam2_07.tif,{w},07" for w in ("w1", "w2")]
    table.write_text("\n".join(["source,target,specimen,field", *rows, "x.tif,y.tif,w3,01"]))
    found = survey(
        tmp_path / "source",
        tmp_path / "target",
        pattern=pattern,
        table=None if pattern else table,
    )
    assert [(pair.match.id, pair.specimen) for pair in found.pairs] == [
        ("w1_07", "w1"),
        ("w2_07", "w2"),
    ]
    errors = [one.message for one in found.findings if one.level == "error"]
    assert len(errors) == (0 if pattern else 2)
    assert all("line 4" in error for error in errors)


def test_names_without_a_specimen_are_told(tmp_path: Path) -> None:
    folders(tmp_path, ["1", "2"])
    assert told(tmp_path).count("its specimen is not known") == 2
    (tmp_path / "metadata.yaml").write_text("specimen: mouse-3")
    found = survey(tmp_path / "source", tmp_path / "target")
    assert [pair.specimen for pair in found.pairs] == ["mouse-3", "mouse-3"]


def test_what_a_published_dataset_needs_is_told(tmp_path: Path) -> None:
    folders(tmp_path, ["s_1"], name="Known", licence="CC0-1.0")
    text = told(tmp_path)
    assert "authors" in text
    assert "source.numerical_aperture" in text
    assert "licence" not in text.replace("metadata", "")


def test_metadata_completes_and_overrides(tmp_path: Path) -> None:
    said = {"y": 0.25, "x": 0.25, "z": 0.4}
    folders(tmp_path, ["s_1"], source={"voxel_size_um": said, "voxel_size_overrides": True})
    found = survey(tmp_path / "source", tmp_path / "target")
    dataset, _ = import_pairs(found, tmp_path / "d")
    assert dataset.image(dataset.pairs[0].source).pixel_size_um == {"Z": 0.4, "Y": 0.25, "X": 0.25}
    pixels = np.arange(200, dtype=np.uint16).reshape(10, 20)
    for side in ("source", "target"):
        (tmp_path / "plain" / side).mkdir(parents=True)
        tifffile.imwrite(tmp_path / "plain" / side / "s_1.tif", pixels)
    (tmp_path / "plain" / "metadata.yaml").write_text(
        yaml.safe_dump({s: {"voxel_size_um": {"y": 0.1, "x": 0.1}} for s in ("source", "target")})
    )
    (pair,) = survey(tmp_path / "plain" / "source", tmp_path / "plain" / "target").pairs
    assert pair.match.id == "s_1"


def test_aligned_pairs_are_registered_and_others_refused(tmp_path: Path) -> None:
    folders(tmp_path, ["s_1", "s_2"], aligned=True)
    same = known_pair()[0]
    (tmp_path / "target" / "s_1.ome.tif").unlink()
    write(tmp_path / "target" / "s_1.ome.tif", same)
    found = survey(tmp_path / "source", tmp_path / "target")
    assert [pair.match.id for pair in found.pairs] == ["s_1"]
    assert "said to be aligned" in told(tmp_path)
    dataset, _ = import_pairs(found, tmp_path / "d")
    transform = dataset.pairs[0].source_to_target
    assert transform is not None
    assert np.array_equal(transform.array, np.eye(4))


def test_nothing_is_written_by_looking(tmp_path: Path) -> None:
    folders(tmp_path, ["s_1", "s_2"])
    before = sorted(tmp_path.rglob("*"))
    survey(tmp_path / "source", tmp_path / "target")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_killed_import_is_completed_by_the_same_call(tmp_path: Path) -> None:
    names = [f"s_{n}" for n in range(4)]
    source_dir, target_dir = folders(tmp_path, names)
    import_pairs(survey(source_dir, target_dir), tmp_path / "whole")
    script = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from scopezoo.datasets.paired.importing import import_pairs, survey\n"
        "calls = 0\n"
        "def progress(done, total):\n"
        "    global calls\n    calls += 1\n"
        "    if calls == int(sys.argv[2]): os.kill(os.getpid(), signal.SIGKILL)\n"
        "root = Path(sys.argv[1])\n"
        "import_pairs(survey(root / 'source', root / 'target'), root / 'd', progress=progress)\n"
    )
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    for call in ("2", "3", "4"):  # in the first pair's target, after it, in the second pair
        run = [sys.executable, "-c", script, str(tmp_path), call]
        assert subprocess.run(run, env=environment).returncode == -signal.SIGKILL
        left = Dataset.open(tmp_path / "d")
        assert "has not ended" in " ".join(f.message for f in check_dataset(left).findings)
    dataset, _ = import_pairs(survey(source_dir, target_dir), tmp_path / "d")
    whole = Dataset.open(tmp_path / "whole")
    assert dataset.pairs == whole.pairs
    assert dataset.files.names() == whole.files.names()
    assert check_dataset(dataset).passed
    assert not list((tmp_path / "d" / "fields").glob(".*"))


def test_a_second_import_adds_and_keeps(tmp_path: Path) -> None:
    folders(tmp_path / "one", ["s_1"], name="First", licence="CC0-1.0")
    folders(tmp_path / "two", ["s_1", "t_1"], name="Second")
    import_pairs(survey(tmp_path / "one" / "source", tmp_path / "one" / "target"), tmp_path / "d")
    (tmp_path / "two" / "source" / "s_1.ome.tif").rename(tmp_path / "two" / "source" / "s_1.tif")
    found = survey(tmp_path / "two" / "source", tmp_path / "two" / "target")
    dataset, more = import_pairs(found, tmp_path / "d")
    assert [pair.id for pair in dataset.pairs] == ["s_1", "t_1"]
    assert "has a pair of this name" in more[0].message
    assert (dataset.manifest.name, dataset.manifest.license) == ("Second", "CC0-1.0")


def test_bad_calls_are_refused(tmp_path: Path) -> None:
    source_dir, target_dir = folders(tmp_path, ["s_1"])
    with pytest.raises(FileError, match="no folder"):
        survey(tmp_path / "nowhere", target_dir)
    for pattern in ("(", "x"):
        with pytest.raises(UsageError, match="pattern"):
            survey(source_dir, target_dir, pattern=pattern)
    (tmp_path / "metadata.yaml").write_text("naem: x\nsource: {na: 1}\n")
    with pytest.raises(FileError, match=r"source\.na: .*naem: "):
        survey(source_dir, target_dir)
    (tmp_path / "metadata.yaml").unlink()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    with pytest.raises(FileError, match="no dataset"):
        import_pairs(survey(source_dir, target_dir), tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.txt"]


@given(
    shape=st.tuples(
        st.integers(1, 3), st.integers(1, 40), st.integers(1, 600), st.integers(1, 600)
    ),
    block_bytes=st.integers(1, 1 << 22),
)
def test_copying_covers_every_pixel_once(shape: tuple[int, ...], block_bytes: int) -> None:
    seen = np.zeros(shape, np.uint8)
    for region in copy_regions("CZYX", shape, 2, block_bytes):
        seen[region] += 1
    assert (seen == 1).all()


def test_a_real_image_is_imported(tmp_path: Path, shared_data: Path) -> None:
    stack = sorted((shared_data / "cells3d_nuclei").rglob("*.tif"))[0]
    for side in ("source", "target"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "cells_1.tif").symlink_to(stack)
    voxel = {"voxel_size_um": {"z": 0.29, "y": 0.26, "x": 0.26}, "axes": "ZYX"}
    (tmp_path / "metadata.yaml").write_text(yaml.safe_dump({"source": voxel, "target": voxel}))
    found = survey(tmp_path / "source", tmp_path / "target")
    dataset, more = import_pairs(found, tmp_path / "d")
    assert more == []
    stored = dataset.image(dataset.pairs[0].source)
    assert np.array_equal(stored.read(), tifffile.imread(stack))
    assert stored.pixel_size_um == {"Z": 0.29, "Y": 0.26, "X": 0.26}
