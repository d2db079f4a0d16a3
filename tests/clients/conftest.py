"""ImageJ with the plugin, a server, and small models."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.imagej import ImageJ, build_plugin
from tests.serving.live import live_server
from tests.small_models import (
    BATCH,
    channels,
    description,
    encoder_decoder,
    follows,
    image_model,
    label_model,
    space,
    stardist_network,
    write_package,
)


@pytest.fixture(scope="session")
def jar() -> Path:
    return build_plugin()


@pytest.fixture(scope="session")
def imagej(jar: Path, tmp_path_factory: pytest.TempPathFactory) -> ImageJ:
    folder = tmp_path_factory.mktemp("imagej")
    (folder / "plugins").mkdir()
    (folder / "home").mkdir()
    shutil.copy(jar, folder / "plugins")
    return ImageJ(folder)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """MODELs by id: planes restored, objects found, whole numbers, and colour."""
    folder = tmp_path_factory.mktemp("models")
    whole: list[dict[str, Any]] = [
        {"id": "scale_linear", "kwargs": {"gain": 100.0}},
        {"id": "ensure_dtype", "kwargs": {"dtype": "int32"}},
    ]
    colour = description(
        [{"id": "raw", "axes": [BATCH, channels("r", "g", "b"), space("y"), space("x")]}],
        [{"id": "out", "axes": [BATCH, channels("result"), follows("y"), follows("x")]}],
    )
    made = {
        "restore": (image_model(), encoder_decoder()),
        "objects": (label_model(), stardist_network()),
        "whole": (image_model(postprocessing=whole), encoder_decoder()),
        "colour": (colour, encoder_decoder(channels_in=3)),
    }
    paths = {name: str(write_package(folder / name, *parts)) for name, parts in made.items()}
    return paths | {"nuclei-stardist-2d": "nuclei-stardist-2d"}


@pytest.fixture(scope="session")
def address(models: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    with live_server(folder, models=tuple(models.values())) as found:
        yield found
