"""Packages that several tests look at."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scopezoo.packaging import PackagingReport, package
from tests.packaging.networks import blur, onnx_folder

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Packaged:
    """A package made from `source`; `folder` is the zip unpacked."""

    source: Path
    zip: Path
    folder: Path
    report: PackagingReport


def packaged(source: Path, zip_path: Path) -> Packaged:
    report = package(source, zip_path)
    folder = zip_path.with_suffix(".unpacked")
    with zipfile.ZipFile(zip_path) as archive:
        archive.extractall(folder)
    return Packaged(source, zip_path, folder, report)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is found about networks is not taken from, nor left in, the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCOPEZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    """A StarDist network of a recipe, from its state dict."""
    source = tmp_path_factory.mktemp("tiny") / "tiny-stardist"
    shutil.copytree(DATA / "tiny_stardist", source)
    return packaged(source, source.parent / "tiny.zip")


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    """Somebody's ONNX file with as little metadata as there can be."""
    source = onnx_folder(tmp_path_factory.mktemp("foreign") / "blur", blur())
    return packaged(source, source.parent / "blur.zip")
