"""The models that were pulled: `<cache>/models/<model>/<version>/`, found without a network.

Such a folder holds the package, a folder or a zip that bears the model's name, and a record of
where it is from. It appears under its name only when all of it is there.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from scopezoo.store.cache import cache_folder
from scopezoo.store.files import sha256

RECORD_NAME = "pulled.json"


@dataclass(frozen=True)
class Pulled:
    """A model on this machine; `package` is the name of its folder or zip.

    `model` is the name that it was pulled by, `source` the URL of the description or zip, `sha256`
    that file's, `released` when this version came out (or was pulled, where nobody says), and
    `missing` what the description names and its server does not have.
    """

    model: str
    version: str
    released: str
    source: str
    sha256: str
    package: str
    missing: tuple[str, ...] = ()

    @property
    def location(self) -> Path:
        """Folder or zip of the package."""
        return version_folder(self.model, self.version) / self.package


def canonical(name: str) -> str:
    """One spelling for each model: DOIs without doi.org, ids without bioimage.io's own prefix."""
    name = name.strip()
    record = re.fullmatch(r"https?://(?:www\.)?zenodo\.org/records?/(\d+)/?", name)
    if record:
        return f"10.5281/zenodo.{record[1]}"
    doi = re.fullmatch(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.\d{4,}/\S+)", name)
    if doi:
        return doi[1].lower()
    return name.removeprefix("bioimage-io/")


def is_url(name: str) -> bool:
    """Whether a MODEL is a URL."""
    return name.startswith(("https://", "http://"))


def is_doi(name: str) -> bool:
    """Whether a canonical MODEL is a DOI."""
    return re.match(r"10\.\d{4,}/", name) is not None


def folder_name(name: str) -> str:
    """A model or version as the name of a folder: readable, of this one name, on any system."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[-80:]
    if readable == name.lower():
        return readable
    return f"{readable}-{sha256(name.encode())[:8]}"


def models_folder() -> Path:
    """Where pulled models are."""
    return cache_folder() / "models"


def version_folder(model: str, version: str) -> Path:
    """Where one version of a model is."""
    return models_folder() / folder_name(model) / folder_name(version)


def find_version(model: str, version: str) -> Pulled | None:
    """This version of a model, if it was pulled."""
    pulled = _read(version_folder(model, version))
    return pulled if pulled and (pulled.model, pulled.version) == (model, version) else None


def find_pulled(name: str) -> Pulled | None:
    """The newest version of the model that was pulled by this name, or its `MODEL/VERSION`."""
    model = canonical(name)
    versions = _versions(models_folder() / folder_name(model))
    if versions:
        return versions[-1]
    model, _, version = model.rpartition("/")
    return find_version(model, version) if model else None


def pulled_models() -> list[Pulled]:
    """The newest version of each model that was pulled, sorted by name."""
    folder = models_folder()
    if not folder.is_dir():
        return []
    versions = [_versions(model) for model in folder.iterdir() if not model.name.startswith(".")]
    return sorted((found[-1] for found in versions if found), key=lambda pulled: pulled.model)


def write_record(folder: Path, pulled: Pulled) -> None:
    """Write the record of a model that is in `folder`."""
    text = json.dumps(asdict(pulled), indent=2, ensure_ascii=False)
    (folder / RECORD_NAME).write_text(text, encoding="utf-8")


def _versions(folder: Path) -> list[Pulled]:
    """Oldest first."""
    if not folder.is_dir():
        return []
    found = [pulled for path in folder.iterdir() if (pulled := _read(path))]
    return sorted(found, key=lambda pulled: (pulled.released, pulled.version))


def _read(folder: Path) -> Pulled | None:
    """None where there is no version of a model, or one that is damaged."""
    try:
        record = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))
        pulled = Pulled(**{**record, "missing": tuple(record["missing"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return pulled if (folder / pulled.package).exists() else None
