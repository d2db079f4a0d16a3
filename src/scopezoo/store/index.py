"""Finds where a model that is not on this machine can be fetched.

An id is looked up in bioimage.io's index and then in its older id map, both with a SHA-256 for
each description; a DOI of Zenodo in Zenodo's records, any other DOI in the id map.
Forms as of November 2026: github.com/bioimage-io/collection, bioimageio.spec 0.5.12,
developers.zenodo.org.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from scopezoo.errors import DownloadError, ModelNotFoundError, PackageError
from scopezoo.store.download import Web
from scopezoo.store.pulled import is_doi, is_url
from scopezoo.store.rdf import RDF_NAMES

MAX_INDEX_BYTES = 64 * 1024**2
ZENODO = re.compile(r"10\.5281/zenodo\.(\d+)")


@dataclass(frozen=True)
class Places:
    """Who is asked for models. The environment overrides each: SCOPEZOO_INDEX and so on."""

    index: str = "https://bioimage-io.github.io/collection/index.json"
    id_map: str = "https://uk1s3.embassy.ebi.ac.uk/public-datasets/bioimage.io/id_map.json"
    zenodo: str = "https://zenodo.org/api"
    named: tuple[str, ...] = ()
    """Those that the operator set."""

    @classmethod
    def from_environment(cls) -> Places:
        """Defaults, or what the environment says."""
        names = ("index", "id_map", "zenodo")
        own = {name: os.environ.get(f"SCOPEZOO_{name.upper()}") for name in names}
        said = {name: url.rstrip("/") for name, url in own.items() if url}
        return cls(**said, named=tuple(said.values()))


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch; `digests` are hexadecimal, by algorithm."""

    url: str
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """Where a model is: its description or its zip.

    `version` and `released` are None where only the file itself tells. `listed` are the files
    beside the description by name, where that is known.
    """

    model: str
    main: RemoteFile
    version: str | None = None
    released: str | None = None
    listed: Mapping[str, RemoteFile] = field(default_factory=dict)

    def beside(self, name: str) -> RemoteFile:
        """The file that a description names by a relative path."""
        return self.listed.get(name) or RemoteFile(sibling(self.main.url, name))


def find_source(model: str, web: Web, places: Places) -> Source:
    """Where the model of this canonical name is; `ID/VERSION` asks for one version.

    Raises ModelNotFoundError where nobody knows it, DownloadError where nobody could be asked, and
    PackageError for what is no model package.
    """
    if is_url(model):
        return Source(model, RemoteFile(model))
    known: list[str] = []
    problems: list[DownloadError] = []
    zenodo = ZENODO.fullmatch(model)
    looks: list[Callable[[], Source | None]] = []
    if zenodo:
        record = zenodo[1]
        looks.append(lambda: _in_zenodo(model, record, web, places.zenodo))
    elif not is_doi(model):
        looks.append(lambda: _in_index(model, web, places.index, known))
    looks.append(lambda: _in_id_map(model, web, places.id_map, known))
    for look in looks:
        try:
            found = look()
        except DownloadError as error:
            problems.append(error)
            continue
        if found is not None:
            return found
    if problems:
        raise problems[0]
    near = difflib.get_close_matches(model, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else "; give its URL if it is elsewhere"
    raise ModelNotFoundError(f"nobody knows a model {model!r}{hint}")


def zenodo_files(doi: str, web: Web, places: Places) -> Mapping[str, RemoteFile]:
    """The open files of a record of Zenodo, by name.

    Raises ModelNotFoundError for a DOI that Zenodo does not know, DownloadError.
    """
    number = ZENODO.fullmatch(doi)
    record = _zenodo_record(number[1], web, places.zenodo) if number else None
    if record is None:
        raise ModelNotFoundError(
            f"Zenodo knows no record {doi!r}; give the URL of the file if it is elsewhere"
        )
    return _listed(record, places.zenodo)


def sibling(url: str, name: str) -> str:
    """URL of the file `name` beside that of `url`, which keeps its query and Zenodo's /content."""
    parts = urlsplit(url)
    folder, _, last = parts.path.rpartition("/")
    end = ""
    if last == "content" and "/files/" in folder:
        folder, end = folder.rpartition("/")[0], "/content"
    return urlunsplit(parts._replace(path=f"{folder}/{quote(name)}{end}", fragment=""))


def _in_index(model: str, web: Web, url: str, known: list[str]) -> Source | None:
    for item in _entries(_json(web, url).get("items"), url):
        name = str(item.get("id")).removeprefix("bioimage-io/")
        known.append(name)
        if model != name and not model.startswith(f"{name}/"):
            continue
        if item.get("type") != "model":
            raise PackageError(f"{model} is a {item.get('type')} of bioimage.io, not a model")
        versions = _entries(item.get("versions"), url)
        asked = model[len(name) + 1 :]
        known += [f"{name}/{entry.get('version')}" for entry in versions]
        fitting = [entry for entry in versions if asked in ("", entry.get("version"))]
        if not fitting:
            return None
        entry = max(fitting, key=lambda entry: str(entry.get("created_at")))
        return Source(
            name,
            RemoteFile(urljoin(url, str(entry.get("source"))), _sha256(entry, name)),
            str(entry.get("version")),
            str(entry.get("created_at")),
        )
    return None


def _in_id_map(model: str, web: Web, url: str, known: list[str]) -> Source | None:
    entries = _json(web, url)
    known += [name for name in entries if not is_doi(name)]
    entry = entries.get(model)
    if not isinstance(entry, dict):
        return None
    digests = _sha256(entry, model)
    main = RemoteFile(urljoin(url, str(entry.get("source"))), digests)
    return Source(model, main, digests["sha256"][:12])


def _in_zenodo(model: str, record_id: str, web: Web, api: str) -> Source | None:
    record = _zenodo_record(record_id, web, api)
    if record is None:
        return None
    listed = _listed(record, api)
    main = _main_file(listed)
    if main is None:
        has = ", ".join(sorted(listed)[:8]) or "no open files"
        raise PackageError(
            f"{model} is no model package: expected an rdf.yaml or one zip, has {has}"
        )
    return Source(model, main, str(record.get("id")), str(record.get("created")), listed)


def _zenodo_record(record_id: str, web: Web, api: str) -> dict[str, Any] | None:
    """The record; for the id of all versions the latest, which not every API answers directly."""
    for path in ("", "/versions/latest"):
        try:
            return _json(web, f"{api}/records/{record_id}{path}")
        except DownloadError as error:
            if error.status not in (404, 410):
                raise
    return None


def _listed(record: Mapping[str, Any], api: str) -> dict[str, RemoteFile]:
    return {
        str(entry.get("key")): RemoteFile(_self_link(entry, api), _checksum(entry))
        for entry in _entries(record.get("files") or [], api)
    }


def _main_file(listed: Mapping[str, RemoteFile]) -> RemoteFile | None:
    descriptions = [name for name in RDF_NAMES if name in listed]
    descriptions += [n for n in listed if n.endswith((".rdf.yaml", ".bioimageio.yaml"))]
    zips = [name for name in listed if name.endswith(".zip")]
    if descriptions:
        return listed[descriptions[0]]
    return listed[zips[0]] if len(zips) == 1 else None


def _self_link(entry: Mapping[str, Any], api: str) -> str:
    [links] = _entries([entry.get("links")], api)
    return str(links.get("self"))


def _checksum(entry: Mapping[str, Any]) -> dict[str, str]:
    """Zenodo's `md5:…`."""
    algorithm, _, digest = str(entry.get("checksum")).partition(":")
    return {algorithm: digest} if algorithm in ("md5", "sha256") and digest else {}


def _sha256(entry: Mapping[str, Any], name: str) -> dict[str, str]:
    digest = str(entry.get("sha256"))
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        raise DownloadError(f"the index has no SHA-256 for {name}")
    return {"sha256": digest}


def _json(web: Web, url: str) -> dict[str, Any]:
    try:
        found = json.loads(web.read(url, MAX_INDEX_BYTES))
    except (ValueError, RecursionError) as error:
        raise DownloadError(f"{url} answers no JSON: {error}") from error
    if not isinstance(found, dict):
        raise DownloadError(f"{url} answers a {type(found).__name__}; expected a mapping")
    return found


def _entries(value: Any, url: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise DownloadError(f"{url} is not in the form that is known; is scopezoo too old for it?")
    return value
