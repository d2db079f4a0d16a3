"""Packages as folders and zips: what is read, and what is refused before anything is."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.errors import FileError, PackageError, ScopezooError, UnsafePackageError
from scopezoo.store.files import (
    MAX_FILE_BYTES,
    MAX_FILES,
    PackageFiles,
    name_problem,
    open_files,
    sha256,
    zip_problems,
)

NAMES = st.text(st.sampled_from("ab./\\:~\0 é"), max_size=12) | st.text(max_size=8)
CONTENTS = st.dictionaries(
    st.from_regex(r"[a-z]{1,6}(/[a-z]{1,6})?\.(npy|onnx)", fullmatch=True),
    st.binary(max_size=64),
    min_size=1,
    max_size=5,
)


def write_zip(path: Path, contents: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def write_folder(folder: Path, contents: dict[str, bytes]) -> Path:
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def read_everything(files: PackageFiles) -> None:
    for name in files.names():
        files.size(name)
        files.read(name)


@given(contents=CONTENTS)
def test_a_folder_and_a_zip_of_it_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes]
) -> None:
    place = tmp_path_factory.mktemp("package")
    packages = [
        open_files(write_folder(place / "folder", contents)),
        open_files(write_zip(place / "package.zip", contents)),
    ]
    for files in packages:
        assert files.names() == sorted(contents)
        assert {name: files.read(name) for name in files.names()} == contents
        assert {name: files.size(name) for name in files.names()} == {
            name: len(content) for name, content in contents.items()
        }


@given(name=NAMES)
def test_a_name_without_a_problem_stays_inside(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    root = tmp_path_factory.getbasetemp() / "root"
    if name_problem(name) is None:
        assert Path(os.path.normpath(root / name)).is_relative_to(root)
        assert "\0" not in name


@given(name=NAMES)
def test_any_name_gives_a_file_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    place = tmp_path_factory.mktemp("any")
    (place / "secret").write_bytes(b"secret")
    write_folder(place / "root", {"a": b"in"})
    write_zip(place / "a.zip", {"a": b"in"})
    for files in (open_files(place / "root"), open_files(place / "a.zip")):
        with suppress(PackageError, FileError):
            assert files.read(name) == b"in"


def test_a_package_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="does not exist"):
        open_files(tmp_path / "nothing.zip")


@settings(max_examples=300)
@given(data=st.data())
def test_a_damaged_zip_gives_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Bytes of a good zip are cut, changed or doubled; only our own errors may come out."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rdf.yaml", "name: x\n" * 20)
        archive.writestr("weights.onnx", bytes(range(256)) * 4)
    raw = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)) | st.just(len(raw)))
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    path.write_bytes(raw[:cut] + data.draw(st.binary(max_size=8)))
    with suppress(ScopezooError):
        read_everything(open_files(path))


@settings(max_examples=200)
@given(content=st.binary(max_size=200))
def test_arbitrary_bytes_are_no_zip(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.zip"
    path.write_bytes(content)
    with pytest.raises(ScopezooError):
        open_files(path)


def test_a_directory_entry_that_lies_about_its_size(tmp_path: Path) -> None:
    """What is unpacked is bounded by the directory, which was checked."""
    path = write_zip(tmp_path / "lies.zip", {"big.npy": bytes(5_000_000)})
    raw = bytearray(path.read_bytes())
    entry = raw.rindex(b"big.npy") - 46
    raw[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    path.write_bytes(raw)
    files = open_files(path)
    with pytest.raises(PackageError, match="damaged"):
        files.read("big.npy")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_that_may_take_any_memory(tmp_path: Path, method: int) -> None:
    """An LZMA stream names the size of its own dictionary, up to 4 GiB."""
    path = tmp_path / "package.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.npy", b"content" * 9)
    with pytest.raises(UnsafePackageError, match="packed by method"):
        open_files(path)


def test_stored_without_compression(tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"content" * 9)
    assert open_files(path).read("a.npy") == b"content" * 9


def member(name: str, size: int = 1, compressed: int = 1, mode: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.file_size, info.compress_size, info.external_attr = size, compressed, mode << 16
    return info


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ([member("../a")], "leads out"),
        ([member("/a")], "leads out"),
        ([member("a/../../b")], "leads out"),
        ([member("C:/a")], "leads out"),
        ([member("a"), member("A")], "occurs 2 times"),
        ([member("link", mode=stat.S_IFLNK | 0o777)], "symbolic link"),
        ([member("bomb", size=3 * 1024**3, compressed=3 * 1024**2)], "bomb"),
        ([member(f"part{i}", size=4 * 1024**3, compressed=1024**3) for i in range(3)], "unpacks"),
        ([member("one", size=MAX_FILE_BYTES + 1, compressed=1024**3)], "'one' unpacks to"),
        ([member(f"f{i}") for i in range(MAX_FILES + 1)], "at most"),
    ],
)
def test_zip_problems(members: list[zipfile.ZipInfo], word: str) -> None:
    assert any(word in problem for problem in zip_problems(members))


def test_zip_problems_of_a_good_zip() -> None:
    assert zip_problems([member("rdf.yaml"), member("w/weights.onnx", 2_000_000, 1_000_000)]) == []


def test_encrypted_zip() -> None:
    info = member("rdf.yaml")
    info.flag_bits |= 1
    assert any("encrypted" in problem for problem in zip_problems([info]))


def test_hostile_zip_is_refused_when_opened(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "evil.zip", {"rdf.yaml": b"name: x", "../evil": b"x"})
    with pytest.raises(UnsafePackageError, match="leads out"):
        open_files(path)


def test_link_out_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    folder = write_folder(tmp_path / "package", {"rdf.yaml": b"name: x"})
    (folder / "leak").symlink_to(tmp_path / "secret")
    (folder / "inner").symlink_to(folder / "rdf.yaml")
    files = open_files(folder)
    with pytest.raises(UnsafePackageError, match="link out"):
        files.read("leak")
    assert files.read("inner") == b"name: x"


def test_linked_folder(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    folder = write_folder(tmp_path / "package", {"rdf.yaml": b"name: x"})
    (folder / "sub").symlink_to(tmp_path / "outside")
    files = open_files(folder)
    assert files.names() == ["rdf.yaml"]
    with pytest.raises(UnsafePackageError):
        files.read("sub/secret")


def test_pipes_and_circles_in_a_folder(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "package", {"rdf.yaml": b"name: x"})
    os.mkfifo(folder / "pipe")
    (folder / "circle").symlink_to(folder / "circle")
    files = open_files(folder)
    for name in ("pipe", "circle", ".", "rdf.yaml/x"):
        with pytest.raises(PackageError):
            files.read(name)


def test_folder_of_too_many_files(tmp_path: Path) -> None:
    for i in range(MAX_FILES + 1):
        (tmp_path / f"f{i}").touch()
    with pytest.raises(UnsafePackageError, match="more than"):
        open_files(tmp_path).names()


def test_sha256_is_that_of_the_format() -> None:
    assert sha256(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
