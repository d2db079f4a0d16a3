"""Servers and packages that the tests of the server share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import tifffile

from tests.serving.live import live_server
from tests.small_models import encoder_decoder, image_model, write_package


@pytest.fixture(scope="session")
def small_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network that restores planes."""
    folder = tmp_path_factory.mktemp("packages") / "small"
    return write_package(folder, image_model(), encoder_decoder())


@pytest.fixture(scope="session")
def address(small_package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with the collection's first model and a small one."""
    folder = tmp_path_factory.mktemp("server")
    models = ("nuclei-stardist-2d", str(small_package))
    with live_server(folder, models=models, max_body_bytes=20_000_000) as found:
        yield found


@pytest.fixture
def http(address: str) -> Iterator[httpx.Client]:
    """A client of that server."""
    with httpx.Client(base_url=address, timeout=60) as client:
        yield client


@pytest.fixture
def plane(tmp_path: Path) -> Path:
    """A 16-bit plane of odd sizes with blobs."""
    rng = np.random.default_rng(3)
    pixels = (rng.random((101, 75)) * 4000).astype(np.uint16)
    path = tmp_path / "plane.tif"
    tifffile.imwrite(path, pixels, imagej=True, resolution=(2.0, 2.0), metadata={"unit": "um"})
    return path
