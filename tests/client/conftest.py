"""A real server with small models, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from onnx import helper

from scopezoo.client import Client, connect
from tests import small_models as small
from tests.serving.live import live_server


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what is measured of the networks away from the user's cache."""
    import os

    os.environ["SCOPEZOO_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of packages by the id that the server gives them."""
    folder = tmp_path_factory.mktemp("packages")
    scaled = small.image_model(2)
    for axis in scaled["inputs"][0]["axes"][2:] + scaled["outputs"][0]["axes"][2:]:
        axis |= {"scale": 0.25, "unit": "micrometer"}
    whole = small.image_model(2, postprocessing=[_cast_to("int64")], data={"type": "int64"})
    return {
        "whole": small.write_package(folder / "whole", whole, small.encoder_decoder(2)),
        "plane": small.write_package(
            folder / "plane", small.image_model(2), small.encoder_decoder(2)
        ),
        "volume": small.write_package(
            folder / "volume", small.image_model(3), small.encoder_decoder(3)
        ),
        "labels": small.write_package(
            folder / "labels", small.label_model(), small.stardist_network()
        ),
        "scaled": small.write_package(folder / "scaled", scaled, small.encoder_decoder(2)),
        "pair": _pair(folder / "pair"),
    }


def _cast_to(dtype: str) -> dict[str, object]:
    """A step that makes other numbers of a network's."""
    return {"id": "ensure_dtype", "kwargs": {"dtype": dtype}}


def _pair(folder: Path) -> Path:
    """Two images in, their sum and their difference out."""
    rdf = small.image_model(2)
    rdf["inputs"].append(
        {"id": "other", "axes": [small.BATCH, small.channels("signal"), *_following()]}
    )
    rdf["outputs"].append(
        {"id": "second", "axes": [small.BATCH, small.channels("result"), *_following()]}
    )
    shape = [1, 1, "y", "x"]
    nodes = [
        helper.make_node("Add", ["raw", "other"], ["out"]),
        helper.make_node("Sub", ["raw", "other"], ["second"]),
    ]
    onnx = small.network(nodes, [], {"raw": shape, "other": shape}, {"out": shape, "second": shape})
    return small.write_package(folder, rdf, onnx)


def _following() -> list[dict[str, object]]:
    return [small.follows("y"), small.follows("x")]


@pytest.fixture(scope="session")
def address(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server of these packages answers."""
    models = tuple(str(folder) for folder in packages.values())
    with live_server(tmp_path_factory.mktemp("server"), models=models) as found:
        yield found


@pytest.fixture(scope="session")
def client(address: str) -> Iterator[Client]:
    """A client of that server."""
    with connect(address, timeout_s=60) as found:
        yield found
