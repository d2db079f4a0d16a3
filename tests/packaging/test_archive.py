"""Zips with the same bytes, and files that are there whole or not at all."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopezoo.errors import FileError
from scopezoo.packaging.archive import refresh_folder, write_file, write_folder, write_zip

NAMES = st.from_regex(r"[a-z]{1,8}\.(npy|yaml|md)", fullmatch=True)
FILES = st.dictionaries(NAMES, st.binary(max_size=200), min_size=1, max_size=6)


@given(FILES, st.randoms(use_true_random=False))
def test_bytes_follow_from_the_files_alone(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], random: object
) -> None:
    folder = tmp_path_factory.mktemp("zips")
    shuffled = list(files.items())
    random.shuffle(shuffled)
    write_zip(files, folder / "a.zip")
    write_zip(dict(shuffled), folder / "b.zip")
    assert (folder / "a.zip").read_bytes() == (folder / "b.zip").read_bytes()
    with zipfile.ZipFile(folder / "a.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files


def test_a_failed_zip_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.zip"
    write_zip({"a.md": b"old"}, path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(FileError, match="No space left"):
        write_zip({"a.md": b"new"}, path)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["model.zip"]


def test_a_failed_folder_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    write_folder({"rdf.yaml": b"old"}, folder)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(FileError, match="No space left"):
        write_folder({"rdf.yaml": b"new"}, folder)
    with pytest.raises(FileError, match="No space left"):
        write_file(b"new", folder / "rdf.yaml")
    assert (folder / "rdf.yaml").read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["model"]


def test_the_description_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    monkeypatch.setattr(
        "scopezoo.packaging.archive.write_file", lambda _, path: written.append(path.name)
    )
    refresh_folder({"rdf.yaml": b"", "a.md": b"", "weights.onnx": b""}, tmp_path)
    assert written == ["a.md", "weights.onnx", "rdf.yaml"]
