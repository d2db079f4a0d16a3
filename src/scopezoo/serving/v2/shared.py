"""What all requests of the protocol to one server share."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Depends, Request

from scopezoo.serving.settings import Settings
from scopezoo.serving.state import server
from scopezoo.serving.v2.room import Room
from scopezoo.serving.v2.signature import Signature, read_signature
from scopezoo.store.package import Package

LARGEST_AT_ONCE = 4
"""Of the largest bodies that are taken, this many have room in what one run may take."""


class Shared:
    """Signatures of the models that were asked for, and the room for bodies."""

    def __init__(self, settings: Settings) -> None:
        self.room = Room(settings.run_bytes)
        self.max_body_bytes = min(settings.max_body_bytes, settings.run_bytes // LARGEST_AT_ONCE)
        self._signatures: dict[str, Signature] = {}

    async def signature(self, package: Package) -> Signature:
        """The signature of a package, read at its first use."""
        found = self._signatures.get(package.rdf_sha256)
        if found is None:
            found = await asyncio.to_thread(read_signature, package)
            self._signatures[package.rdf_sha256] = found
        return found


async def _shared(request: Request) -> Shared:
    kept = request.app.state
    if not hasattr(kept, "inference"):
        kept.inference = Shared(server(request).settings)
    found: Shared = kept.inference
    return found


SharedState = Annotated[Shared, Depends(_shared)]
