"""A server with jobs, and clients of several tokens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from scopezoo.serving.settings import Token
from tests import small_models as small
from tests.serving.live import live_server

ANN, BOB, ROOT = "ann-has-a-long-secret", "bob-has-a-long-secret", "root-has-a-long-secret"
TOKENS = (Token("ann", "upload", ANN), Token("bob", "upload", BOB), Token("root", "admin", ROOT))


@pytest.fixture(scope="session")
def label_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network that finds bright discs."""
    folder = tmp_path_factory.mktemp("packages") / "discs"
    return small.write_package(folder, small.label_model(), small.stardist_network())


@pytest.fixture(scope="session")
def sampled_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network with a test tensor, which is an image to try."""
    folder = tmp_path_factory.mktemp("packages") / "sampled"
    rdf = small.image_model()
    rdf["inputs"][0]["test_tensor"] = {"source": "raw.npy"}
    small.write_package(folder, rdf, small.encoder_decoder())
    np.save(folder / "raw.npy", np.random.default_rng(0).random((1, 1, 24, 26), np.float32))
    return folder


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the operator allows jobs to read."""
    return tmp_path_factory.mktemp("disk")


@pytest.fixture(scope="session")
def address(
    small_package: Path,
    label_package: Path,
    sampled_package: Path,
    disk: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """A server with three small models and one root."""
    folder = tmp_path_factory.mktemp("jobs-server")
    models = tuple(map(str, (small_package, label_package, sampled_package)))
    with live_server(folder, models=models, roots=(str(disk),), tokens=TOKENS) as found:
        yield found


@pytest.fixture
def http(address: str) -> Iterator[httpx.Client]:
    """Ann, who may upload."""
    headers = {"Authorization": f"Bearer {ANN}"}
    with httpx.Client(base_url=address, timeout=60, headers=headers) as client:
        yield client
