"""A dataset that `scopezoo serve` shares, as a source to pull from.

The server lists the files of an image with their SHA-256. The list itself has the SHA-256 that the
manifest states for the image, so every file is known before it is fetched.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from scopezoo.datasets.paired.files import MANIFEST
from scopezoo.datasets.paired.hashing import is_hashed
from scopezoo.datasets.paired.manifest import SIDES, Manifest, Pair, Side, parse_manifest
from scopezoo.datasets.paired.pulling_source import (
    MAX_EXTRA_BYTES,
    ListedFile,
    Progress,
    checked_files,
)
from scopezoo.datasets.paired.store import MAX_MANIFEST_BYTES
from scopezoo.errors import DownloadError, PackageError
from scopezoo.store.download import Web

MAX_LIST_BYTES = 256 << 20


class ServerSource:
    """`url` is …/api/v1/datasets/ID. Raises DownloadError where there is none."""

    def __init__(self, url: str, web: Web) -> None:
        self.name = url
        self._web = web
        self._sizes = self._stated_sizes()
        content = web.read(f"{url}/{MANIFEST}", MAX_MANIFEST_BYTES)
        self._manifest = parse_manifest(content, f"{url}/{MANIFEST}")

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    def image_bytes(self, pair: Pair, side: Side) -> int:
        size = self._sizes.get((pair.id, side))
        if size is None:
            raise DownloadError(f"{self.name} does not tell the size of {pair.id}")
        return size

    def files(self, pair: Pair, side: Side) -> list[ListedFile]:
        lines = self._web.read(f"{self._place(pair)}/{side}.files", MAX_LIST_BYTES).splitlines()
        try:
            listed = [_file(json.loads(line)) for line in lines]
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise self._unknown(error) from error
        checked_files(self.name, pair, side, listed)
        self._check_list(pair, side, listed)
        return listed

    def fetch(
        self, pair: Pair, side: Side, file: ListedFile, path: Path, progress: Progress
    ) -> None:
        url = f"{self._place(pair)}/{side}.ome.zarr/{quote(file.name)}"
        self._web.download(url, path, lambda _: file.size_bytes, file.digests, progress)

    def extra(self, name: str) -> bytes | None:
        try:
            return self._web.read(f"{self.name}/{name}", MAX_EXTRA_BYTES)
        except DownloadError as error:
            if error.status == 404:
                return None
            raise

    def close(self) -> None:
        """Who made the Web closes it."""

    def _place(self, pair: Pair) -> str:
        return f"{self.name}/fields/{quote(pair.id)}"

    def _stated_sizes(self) -> dict[tuple[str, str], int]:
        try:
            return {
                (str(pair["id"]), side): int(pair[side]["bytes"])
                for pair in self._json(self.name)["pairs"]
                for side in SIDES
            }
        except (KeyError, TypeError, ValueError) as error:
            raise self._unknown(error) from error

    def _check_list(self, pair: Pair, side: Side, listed: Sequence[ListedFile]) -> None:
        stated = self.image_bytes(pair, side)
        total = sum(file.size_bytes for file in listed)
        if total > stated:
            raise PackageError(
                f"{self.name}: {side} of {pair.id} has {total} bytes, its server spoke of {stated}"
            )
        hashed = sorted((one for one in listed if is_hashed(one.name)), key=_by_bytes)
        text = "".join(f"{one.digests['sha256']}  {one.name}\n" for one in hashed)
        found, wanted = hashlib.sha256(text.encode()).hexdigest(), pair.image(side).sha256
        if found != wanted:
            raise PackageError(
                f"{self.name}: {side} of {pair.id} has sha256 {found[:12]}…, its manifest says "
                f"{wanted[:12]}…: its operator should run `scopezoo dataset check`"
            )

    def _json(self, url: str) -> Any:
        try:
            return json.loads(self._web.read(url, MAX_LIST_BYTES))
        except (ValueError, RecursionError) as error:
            raise self._unknown(error) from error

    def _unknown(self, error: Exception) -> DownloadError:
        return DownloadError(
            f"{self.name} does not answer as a server of scopezoo does ({type(error).__name__}: "
            f"{error}); expected http://HOST/api/v1/datasets/ID"
        )


def _file(line: Any) -> ListedFile:
    return ListedFile(str(line["name"]), int(line["size"]), {"sha256": str(line["sha256"])})


def _by_bytes(file: ListedFile) -> bytes:
    return file.name.encode()
