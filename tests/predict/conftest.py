"""Small packages, and a cache of their own for every test run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import small_models as small


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what is measured of the networks away from the user's cache."""
    import os

    os.environ["SCOPEZOO_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def plane_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 2D network with a pooling, one channel in and out."""
    folder = tmp_path_factory.mktemp("plane")
    return small.write_package(folder, small.image_model(2), small.encoder_decoder(2))


@pytest.fixture(scope="session")
def volume_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in 3D."""
    folder = tmp_path_factory.mktemp("volume")
    return small.write_package(folder, small.image_model(3), small.encoder_decoder(3))


@pytest.fixture(scope="session")
def label_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A StarDist network that finds bright discs."""
    folder = tmp_path_factory.mktemp("labels")
    return small.write_package(folder, small.label_model(), small.stardist_network())
