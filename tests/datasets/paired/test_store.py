"""The store: what goes in comes out, what is listed is complete."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from scopezoo.datasets.paired import Dataset
from scopezoo.datasets.paired.manifest import Specimen, parse_manifest
from scopezoo.datasets.paired.store import NewImage, new_manifest
from scopezoo.datasets.smooth import Smooth
from scopezoo.errors import FileError, IncompatibleImageError, UsageError
from scopezoo.image import Image
from tests.datasets.paired.pairs import bent, dataset, known_matrix, known_pair

SHAPES = {"YX": (70, 50), "ZYX": (19, 40, 30), "CZYX": (2, 5, 20, 21), "ZCYX": (5, 3, 20, 21)}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    axes=st.sampled_from(sorted(SHAPES)),
    dtype=st.sampled_from(["uint8", "uint16", "int16", "float32"]),
    seed=st.integers(0, 99),
)
def test_pixels_and_sizes_come_back(tmp_path: Path, axes: str, dtype: str, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 120, SHAPES[axes]).astype(dtype)
    sizes = {"Z": 0.31, "Y": 0.1, "X": 0.1}
    one = Image(pixels, axes, {axis: sizes[axis] for axis in axes if axis in sizes})
    folder = tmp_path / f"{axes}-{dtype}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    made = Dataset.create(folder, new_manifest("d", "D"))
    made.add("p", Specimen(id="s"), NewImage(one, "a", 0), NewImage(one, "b", 0))
    again = Dataset.open(folder)
    for entry in (again.pairs[0].source, again.pairs[0].target):
        back = again.image(entry)
        order = [axes.index(axis) for axis in back.axes]
        assert np.array_equal(back.read(), pixels.transpose(order))
        assert back.dtype == np.dtype(dtype)
        assert back.pixel_size_um == one.pixel_size_um
        assert entry.shape == back.shape


def test_the_hash_is_what_sha256sum_says(tmp_path: Path) -> None:
    entry = dataset(tmp_path / "d", ["s"]).pairs[0].source
    listing = ""
    folder = tmp_path / "d" / entry.path
    found = [path for path in folder.rglob("*") if path.is_file() and path.parent != folder]
    for path in sorted(found, key=lambda one: str(one.relative_to(folder)).encode()):
        listing += f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n"
    assert entry.sha256 == hashlib.sha256(listing.encode()).hexdigest()


def test_registering_changes_no_hash_and_is_noted_beside_the_image(tmp_path: Path) -> None:
    made = dataset(tmp_path / "d", ["s"], registered=False)
    before = made.pairs[0]
    made.set_registration(before.id, known_matrix(), {"passed": True}, status="registered")
    after = Dataset.open(tmp_path / "d").pairs[0]
    assert (after.source, after.status) == (before.source, "registered")
    assert after.source_to_target is not None
    assert np.array_equal(after.source_to_target.array, known_matrix())
    attributes = dict(zarr.open_group(str(tmp_path / "d" / after.source.path), mode="r").attrs)
    assert attributes["scopezoo"]["source_to_target"]["matrix"] == known_matrix().tolist()  # type: ignore[index,call-overload]
    assert "ome" in attributes


def test_a_smooth_residual_lies_beside_the_matrix(tmp_path: Path) -> None:
    made = dataset(tmp_path / "d", ["s", "t"])
    plain = json.loads((tmp_path / "d" / "dataset.json").read_text())
    assert plain["schema"] == 1  # what an earlier version reads and wrote
    assert set(plain["pairs"][0]["source_to_target"]) == {"matrix", "axes", "unit"}
    pair = made.pairs[0]
    made.set_registration(pair.id, known_matrix(), None, status="registered", smooth=bent())
    content = json.loads((tmp_path / "d" / "dataset.json").read_text())
    assert content["schema"] == 2  # an earlier version must not leave the residual out
    schema = json.loads((tmp_path / "d" / "dataset.schema.json").read_text())
    Draft202012Validator(schema).validate(content)
    again = Dataset.open(tmp_path / "d").pairs
    assert [one.source_to_target and one.source_to_target.smooth for one in again] == [bent(), None]
    attributes = dict(zarr.open_group(str(tmp_path / "d" / pair.source.path), mode="r").attrs)
    noted = attributes["scopezoo"]["source_to_target"]["smooth"]  # type: ignore[index,call-overload]
    assert Smooth.model_validate(noted) == bent()
    content["pairs"][0]["source_to_target"]["smooth"]["spacing_um"] = [0, 1, 1]
    with pytest.raises(FileError, match="above 0"):
        parse_manifest(json.dumps(content), "dataset.json")
    made.set_registration(pair.id, known_matrix(), None, status="registered")
    assert json.loads((tmp_path / "d" / "dataset.json").read_text()) == plain | {
        "pairs": [{**plain["pairs"][0], "quality": None}, plain["pairs"][1]]
    }


@pytest.mark.parametrize("top", ["", "known/"])
def test_a_zip_is_read_where_it_lies(tmp_path: Path, top: str) -> None:
    made = dataset(tmp_path / "d", ["s"])
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        for name in made.files.names():
            archive.write(tmp_path / "d" / name, top + name)
    packed = Dataset.open(tmp_path / "d.zip")
    assert packed.manifest == made.manifest
    entry = packed.pairs[0].target
    assert np.array_equal(packed.image(entry).read(), made.image(entry).read())
    with pytest.raises(UsageError, match="archive"):
        packed.update(lambda old: old)


def test_the_manifest_fits_its_published_schema(tmp_path: Path) -> None:
    dataset(tmp_path / "d", ["s", "t"])
    schema = json.loads((tmp_path / "d" / "dataset.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads((tmp_path / "d" / "dataset.json").read_text()))


def test_pixels_that_nobody_can_use_leave_nothing(tmp_path: Path) -> None:
    made = Dataset.create(tmp_path / "d", new_manifest("d", "D"))
    source, target = known_pair()
    bad = source.read().copy()
    bad[3, 2, 1] = np.nan
    for pixels, reason in ((bad, "NaN"), (np.full_like(bad, 7), "blank")):
        broken = NewImage(source.with_data(pixels, "ZYX"), "a")
        with pytest.raises(IncompatibleImageError, match=reason):
            made.add("p", Specimen(id="s"), NewImage(target, "b"), broken)
        assert list((tmp_path / "d" / "fields").iterdir()) == []
    assert Dataset.open(tmp_path / "d").pairs == []


@pytest.mark.parametrize("path", ["../x.ome.zarr", "/etc", "a/../../b", "http://x/y", "a\\b"])
def test_no_path_leads_out_of_a_dataset(tmp_path: Path, path: str) -> None:
    text = dataset(tmp_path / "d", ["s"]).manifest.to_json()
    content = json.loads(text)
    content["pairs"][0]["source"]["path"] = path
    with pytest.raises(FileError, match=r"pairs\.0\.source\.path"):
        parse_manifest(json.dumps(content), "dataset.json")


def test_a_link_out_of_a_dataset_is_not_followed(tmp_path: Path) -> None:
    made = dataset(tmp_path / "d", ["s"])
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "d" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(FileError, match="leads out"):
        made.files.open("link")


def test_every_problem_of_a_manifest_is_told_at_once() -> None:
    with pytest.raises(FileError, match=r"(?s)id:.*colour:") as caught:
        parse_manifest('{"schema": 1, "id": "../x", "name": "n", "colour": "red"}', "dataset.json")
    assert "\n" not in str(caught.value)


def test_two_processes_add_to_one_dataset_without_losing_a_pair(tmp_path: Path) -> None:
    Dataset.create(tmp_path / "d", new_manifest("d", "D"))
    script = (
        "import sys\nfrom scopezoo.datasets.paired import Dataset\n"
        "from scopezoo.datasets.paired.manifest import Specimen\n"
        "from scopezoo.datasets.paired.store import NewImage\n"
        "from tests.datasets.paired.pairs import known_pair\n"
        "made = Dataset.open(sys.argv[1])\n"
        "for n in range(4):\n"
        "    a, b = known_pair(n)\n"
        "    made.add(f'{sys.argv[2]}{n}', Specimen(id='s'), NewImage(a, 'a'), NewImage(b, 'b'))\n"
    )
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"}
    running = [
        subprocess.Popen([sys.executable, "-c", script, tmp_path / "d", name], env=environment)
        for name in ("p", "q")
    ]
    assert [process.wait() for process in running] == [0, 0]
    ids = {pair.id for pair in Dataset.open(tmp_path / "d").pairs}
    assert ids == {f"{name}{n}" for name in "pq" for n in range(4)}
