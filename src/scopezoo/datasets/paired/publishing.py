"""One checked archive with card and descriptions, for Zenodo, the BioImage Archive, or a server."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from scopezoo.datasets.paired.card import card
from scopezoo.datasets.paired.checking import check_dataset
from scopezoo.datasets.paired.crate import CRATE, crate
from scopezoo.datasets.paired.finding import Finding, failed
from scopezoo.datasets.paired.hashing import image_sha256
from scopezoo.datasets.paired.manifest import SIDES, Instrument, Manifest
from scopezoo.datasets.paired.pictures import cover_png
from scopezoo.datasets.paired.rdf import COVER, RDF, README, describe, format_problems, to_yaml
from scopezoo.datasets.paired.store import Dataset
from scopezoo.errors import FileError, UsageError

EPOCH = (1980, 1, 1, 0, 0, 0)
FILE_MODE = 0o100644
COPY_BYTES = 1 << 20
Progress = Callable[[int, int], None]


def publish(
    dataset: Dataset,
    archive: Path,
    *,
    published: date | None = None,
    progress: Progress = lambda _done, _all: None,
) -> list[Finding]:
    """Check the dataset, write its card and descriptions, and pack all of it into a zip.

    Returns what was found; with an error among that, nothing is written. Members of the zip are not
    compressed (their chunks are), sorted, and of one date, so that the same dataset gives the same
    bytes on one day. Images are read back from it and hashed before it gets its name.

    Raises UsageError for a dataset that is an archive itself, FileError where writing fails.
    """
    findings = [*publishing_findings(dataset.manifest), *check_dataset(dataset).findings]
    if failed(findings):
        return findings
    cover = cover_png(dataset)
    texts = {
        README: card(dataset.manifest).encode(),
        RDF: to_yaml(describe(dataset.manifest)).encode(),
        COVER: cover,
        CRATE: crate(dataset.manifest, published or date.today()).encode(),
    }
    findings += _format_findings(texts)
    if failed(findings):
        return findings
    dataset.put_files(texts)
    _pack(dataset, archive, progress)
    return findings


def publishing_findings(manifest: Manifest) -> list[Finding]:
    """What others need to find, understand and use the dataset, and it lacks."""
    needed = {"license": manifest.license, "authors": manifest.authors}
    needed["description"] = manifest.description
    found = [
        Finding("error", "fair", f"{key} is missing: add it to the metadata and import again")
        for key, value in needed.items()
        if not value
    ]
    for one in manifest.instruments:
        lacking = _lacking(one)
        if lacking:
            text = f"this microscope lacks {', '.join(lacking)}"
            found.append(Finding("error", "fair", text, one.id))
    unstained = [one.id for one in manifest.specimens if not (one.stain or one.description)]
    if unstained:
        text = f"neither stain nor description is known of {', '.join(unstained)}"
        found.append(Finding("warning", "fair", text))
    if not manifest.cite:
        found.append(Finding("warning", "fair", "no work to cite is given"))
    return found


def _lacking(one: Instrument) -> list[str]:
    needed = ("microscope", "objective", "na", "wavelength_um", "voxel_um")
    return [key for key in needed if getattr(one, key) is None]


def _format_findings(texts: dict[str, bytes]) -> list[Finding]:
    with TemporaryDirectory() as folder:
        for name, content in texts.items():
            (Path(folder) / name).write_bytes(content)
        problems = format_problems(Path(folder) / RDF)
    return [Finding("error", "rdf", f"rdf.yaml: {problem}") for problem in problems]


def _pack(dataset: Dataset, archive: Path, progress: Progress) -> None:
    if archive.resolve().is_relative_to(dataset.location.resolve()):
        raise UsageError(f"{archive} lies in the dataset itself; give another place")
    unfinished = archive.with_name(f".{archive.name}.{os.getpid()}.part")
    names = dataset.files.names()
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED, allowZip64=True) as packed:
            for done, name in enumerate(names):
                progress(done, len(names))
                info = zipfile.ZipInfo(name, EPOCH)
                info.create_system = 3
                info.external_attr = FILE_MODE << 16
                with dataset.files.open(name) as stream, packed.open(info, "w") as member:
                    shutil.copyfileobj(stream, member, COPY_BYTES)
        _verify(unfinished)
        unfinished.replace(archive)
        progress(len(names), len(names))
    except OSError as error:
        raise FileError(f"{archive} cannot be written: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _verify(archive: Path) -> None:
    packed = Dataset.open(archive)
    for pair in packed.pairs:
        for side in SIDES:
            entry = pair.image(side)
            found = image_sha256(packed.files, entry.path, packed.files.names(entry.path))
            if found != entry.sha256:
                raise FileError(f"{archive}: {entry.path} was not written as it is; try again")
