"""What is published is whole, described, and reads as it is."""

from __future__ import annotations

import json
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bioimageio.spec import InvalidDescr, load_description

from scopezoo.datasets.paired import Dataset
from scopezoo.datasets.paired.checking import check_dataset
from scopezoo.datasets.paired.manifest import Author, Citation, Instrument, VoxelSize
from scopezoo.datasets.paired.publishing import publish
from scopezoo.datasets.paired.splitting import split_dataset
from scopezoo.errors import UsageError
from tests.datasets.paired.pairs import SOURCE_UM, TARGET_UM, dataset

DAY = date(2026, 1, 2)


def described(folder: Path, **other: Any) -> Dataset:
    made = dataset(folder, ["a", "b", "c"])
    instruments = [
        Instrument(
            id=name,
            microscope=f"{name} microscope",
            objective="40x",
            na=1.2,
            wavelength_um=0.52,
            voxel_um=VoxelSize(z=um[0], y=um[1], x=um[2]),
        )
        for name, um in (("wide", SOURCE_UM), ("confocal", TARGET_UM))
    ]
    fields: dict[str, Any] = {
        "description": 'Two views of a smooth scene: süß | "quoted".',
        "license": "CC-BY-4.0",
        "authors": [Author(name="Ada Example", orcid="0000-0001-2345-6789"), Author(name="Bo")],
        "cite": [Citation(text="Example et al. 2026", doi="10.5281/zenodo.1234567")],
        "instruments": instruments,
    }
    made.update(lambda old: old.model_copy(update={**fields, **other}))
    split_dataset(made, 0)
    return made


def test_an_archive_is_the_dataset(tmp_path: Path) -> None:
    made = described(tmp_path / "d")
    findings = publish(made, tmp_path / "out" / "d.zip", published=DAY)
    assert [one.message for one in findings if one.level == "error"] == []
    packed = Dataset.open(tmp_path / "out" / "d.zip")
    assert packed.manifest == Dataset.open(tmp_path / "d").manifest
    assert check_dataset(packed).passed
    patches = (next(one.patches("training", (4, 20, 20), 0)) for one in (made, packed))
    first, second = patches
    assert np.array_equal(first.target, second.target)
    names = zipfile.ZipFile(tmp_path / "out" / "d.zip").namelist()
    assert {"README.md", "rdf.yaml", "cover.png", "ro-crate-metadata.json"} <= set(names)
    assert not [name for name in names if any(part.startswith(".") for part in name.split("/"))]
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out" / "d.zip"]


def test_the_same_dataset_gives_the_same_bytes(tmp_path: Path) -> None:
    made = described(tmp_path / "d")
    publish(made, tmp_path / "1.zip", published=DAY)
    publish(made, tmp_path / "2.zip", published=DAY)
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_the_zoo_accepts_the_description(tmp_path: Path) -> None:
    publish(described(tmp_path / "d"), tmp_path / "d.zip", published=DAY)
    found = load_description(tmp_path / "d" / "rdf.yaml", perform_io_checks=True)
    assert not isinstance(found, InvalidDescr)
    assert (found.type, found.id) == ("dataset", "known")


def test_the_crate_refers_to_nothing_that_it_does_not_have(tmp_path: Path) -> None:
    publish(described(tmp_path / "d"), tmp_path / "d.zip", published=DAY)
    content = json.loads((tmp_path / "d" / "ro-crate-metadata.json").read_text())
    entities = {one["@id"]: one for one in content["@graph"]}
    assert len(entities) == len(content["@graph"])
    root = entities["./"]
    assert root["datePublished"] == "2026-01-02"
    assert entities[root["license"]["@id"]]["name"] == "CC-BY-4.0"

    def references(value: Any) -> list[str]:
        if isinstance(value, list):
            return [one for item in value for one in references(item)]
        return [value["@id"]] if isinstance(value, dict) and set(value) == {"@id"} else []

    wanted = [one for entity in entities.values() for v in entity.values() for one in references(v)]
    outside = {"https://w3id.org/ro/crate/1.1"}
    assert set(wanted) - set(entities) == outside
    for part in root["hasPart"]:
        assert (tmp_path / "d" / part["@id"]).exists()


def test_the_card_tells_who_what_and_how(tmp_path: Path) -> None:
    publish(described(tmp_path / "d"), tmp_path / "d.zip", published=DAY)
    card = (tmp_path / "d" / "README.md").read_text()
    for text in ("CC-BY-4.0", "Ada Example", "0000-0001-2345-6789", "10.5281/zenodo.1234567"):
        assert text in card
    for row in ("| wide | wide microscope | 40x | 1.2 | 0.52 | 0.4 × 0.2 × 0.2 |",):
        assert row in card
    assert "3 pairs are registered, 0 could not be" in card


@pytest.mark.parametrize(
    ("lacking", "message"),
    [
        ({"license": None}, "license is missing"),
        ({"authors": []}, "authors is missing"),
        ({"license": "do as you like"}, "rdf.yaml: license"),
        ({"instruments": [Instrument(id="wide"), Instrument(id="confocal")]}, "lacks microscope"),
    ],
)
def test_what_others_could_not_use_is_not_published(
    tmp_path: Path, lacking: dict[str, Any], message: str
) -> None:
    made = described(tmp_path / "d", **lacking)
    before = made.files.names()
    findings = publish(made, tmp_path / "d.zip", published=DAY)
    assert any(message in one.message and one.level == "error" for one in findings), findings
    assert not (tmp_path / "d.zip").exists()
    assert made.files.names() == before


def test_a_broken_dataset_is_not_published(tmp_path: Path) -> None:
    made = described(tmp_path / "d")
    next((tmp_path / "d" / "fields").rglob("c/*/*/*")).unlink()
    findings = publish(made, tmp_path / "d.zip", published=DAY)
    assert any("sha256" in one.message for one in findings)
    assert not (tmp_path / "d.zip").exists()


def test_an_archive_is_not_packed_into_itself(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="in the dataset itself"):
        publish(described(tmp_path / "d"), tmp_path / "d" / "d.zip", published=DAY)
