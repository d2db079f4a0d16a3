"""Files of a job are served, and nothing else of the disk is."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopezoo.result import Extras, result_names
from scopezoo.serving.jobs.results import find_file, shown, written_files, zipped


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished job with an OME-Zarr that holds links, beside what is not to be seen."""
    folder = tmp_path_factory.mktemp("jobs") / "job"
    zarr = folder / "cells.ome.zarr"
    (zarr / "0" / "c").mkdir(parents=True)
    (zarr / "zarr.json").write_text("{}")
    (zarr / "0" / "c" / "0").write_bytes(bytes(3_000_000))
    (zarr / "passwd").symlink_to("/etc/passwd")
    (zarr / "etc").symlink_to("/etc")
    (folder / "cells.json").write_text("{}")
    (folder / "cells.preview.png").write_bytes(b"png")
    (folder / ".cells.partial").mkdir()
    (folder / ".cells.partial" / "tiles.log").touch()
    (folder.parent / "other.tif").touch()
    return folder


def files_of(folder: Path) -> list[dict[str, object]]:
    return written_files(result_names(folder / "cells.ome.zarr", ["out"], Extras(preview=True)))


def test_files_are_listed_with_what_they_are(folder: Path) -> None:
    files = files_of(folder)
    assert [(f["name"], f["kind"], f["size"]) for f in files] == [
        ("cells.ome.zarr", "result", 3_000_002),
        ("cells.preview.png", "preview", 3),
        ("cells.json", "record", 2),
    ]
    entry = shown({"name": "a b.ome.zarr", "size": 1, "kind": "result"}, "/files")
    assert (entry["url"], entry["media_type"]) == ("/files/a%20b.ome.zarr", "application/vnd.zarr")


NAMES = ("cells.ome.zarr", "cells.json", "other.tif", ".cells.partial", "zarr.json", "tiles.log")
ODD = ("..", ".", "", "0", "c", "etc", "passwd", "job", "\0", "a\\b", "/etc/passwd")
PIECES = st.lists(st.sampled_from([*NAMES, *ODD]), max_size=6)


@given(PIECES)
def test_only_the_files_of_the_job_are_found(folder: Path, pieces: list[str]) -> None:
    found = find_file(folder, files_of(folder), "/".join(pieces))
    allowed = ["cells.ome.zarr", "cells.ome.zarr/zarr.json", "cells.ome.zarr/0/c/0", "cells.json"]
    assert found is None or str(found.relative_to(folder)) in allowed
    assert found is None or found == found.resolve()


def test_what_is_there_is_found(folder: Path) -> None:
    for name in ("cells.ome.zarr", "cells.ome.zarr/0/c/0", "cells.json"):
        assert find_file(folder, files_of(folder), name) == folder / name


def test_a_folder_comes_as_a_zip_without_its_links(folder: Path) -> None:
    pieces = list(zipped(folder / "cells.ome.zarr"))
    assert max(map(len, pieces)) < 2_000_000  # it is never in memory as a whole
    archive = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
    assert archive.testzip() is None
    assert archive.namelist() == ["cells.ome.zarr/0/c/0", "cells.ome.zarr/zarr.json"]
    assert archive.read("cells.ome.zarr/0/c/0") == bytes(3_000_000)
