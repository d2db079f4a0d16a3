from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from scopezoo.errors import ImageError, UsageError
from scopezoo.formats import open_image


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tif", b"", "is empty"),
        ("a.tif", b"not an image at all", "of no format that scopezoo reads; expected TIFF"),
        ("a.czi", b"ZISRAWFILE", "is Zeiss CZI"),
        ("a.tif", b"ZISRAWFILE" + bytes(20), "is Zeiss CZI"),
        ("a.nd2", b"\xda\xce\xbe\x0a" + bytes(20), "is Nikon ND2"),
        ("a.lif", b"\x70\x00\x00\x00", "is Leica LIF"),
        ("a.vsi", b"II*\0" + bytes(20), "is Olympus VSI"),
        ("a.ims", b"\x89HDF\r\n", "is Imaris IMS"),
        ("a.oib", b"\xd0\xcf\x11\xe0", "is Olympus OIB"),
    ],
)
def test_what_is_not_read_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageError, match=message) as caught:
        open_image(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"a\.tif does not exist$"):
        open_image(tmp_path / "a.tif")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.tif").touch(0o000)
    with pytest.raises(ImageError, match="permission denied"):
        open_image(tmp_path / "a.tif")


@pytest.mark.parametrize("content", [[], ["a.txt"], [".zattrs"]])
def test_a_folder_that_is_no_image(tmp_path: Path, content: list[str]) -> None:
    for name in content:
        (tmp_path / name).write_text("{}")
    with pytest.raises(ImageError, match="is no OME-Zarr"):
        open_image(tmp_path)


def test_an_ending_does_not_matter(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.dat", np.ones((20, 30), np.uint8))
    assert open_image(str(tmp_path / "a.dat")).shape == (20, 30)
    with pytest.raises(UsageError, match="no level 1"):
        open_image(tmp_path / "a.dat", level=1)


def test_a_small_tiff_needs_no_zarr(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.ones((20, 30), np.uint8), compression="zlib")
    code = (
        "import sys; from scopezoo.formats import open_image; open_image(sys.argv[1]).read();"
        "print([name for name in ('zarr', 'PIL', 'fsspec', 'scipy') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.tif")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
