"""From what a job asks to read to what the engine opens, checked when asked and when opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scopezoo.errors import ModelNotFoundError
from scopezoo.serving.auth import Caller
from scopezoo.serving.errors import HttpError
from scopezoo.serving.jobs.request import Input
from scopezoo.serving.jobs.roots import Roots
from scopezoo.serving.jobs.uploads import Uploads, no_upload
from scopezoo.serving.samples import sample_image, sample_name, sample_reference
from scopezoo.store.package import Package


class Inputs:
    """Everything that jobs may read. Samples of models are made in `made`."""

    def __init__(self, uploads: Uploads, roots: Roots, made: Path) -> None:
        self._uploads = uploads
        self._roots = roots
        self._made = made

    def admit(self, one: Input, caller: Caller, package: Package) -> str:
        """What the caller calls an input.

        Raises HttpError 404 for an upload that is not the caller's, 409 for one that is not whole,
        403 outside the roots; ImageError for a path where nothing is.
        """
        if one.upload is not None:
            upload = self._uploads.get(one.upload)
            if upload.owner != caller.name and caller.role != "admin":
                raise no_upload(one.upload)
            if upload.offset != upload.length:
                raise HttpError(
                    409,
                    "UsageError",
                    f"the upload has {upload.offset} of {upload.length} bytes; send the rest first",
                )
            return upload.filename
        if one.path is not None:
            self._roots.path(one.path)
            return one.path
        if one.url is not None:
            return self._roots.url(one.url)
        reference = sample_reference(package)
        if reference is None:
            raise ModelNotFoundError(f"{package.id} brings no image to try")
        return sample_name(package, reference)

    def open(self, one: Input, package: Package, check: Callable[[], None]) -> str:
        """The path or URL that the engine reads. Raises what `admit` does, and what `check` does.

        What was allowed when the job was asked for may have changed since.
        """
        if one.url is not None:
            return self._roots.url(one.url)
        if one.upload is not None:
            return str(self._uploads.get(one.upload).path)
        if one.path is None:
            self._made.mkdir(parents=True, exist_ok=True)
            return str(sample_image(package, self._made))
        real = self._roots.path(one.path)
        self._roots.check_content(real, check)
        return str(real)
