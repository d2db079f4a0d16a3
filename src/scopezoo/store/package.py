"""A package opened: its description, and its files checked against the hashes it states."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scopezoo.errors import PackageError, UnsafePackageError
from scopezoo.store.description import Description, parse_description
from scopezoo.store.files import PackageFiles, name_problem, open_files, sha256
from scopezoo.store.rdf import find_rdf, load_yaml, read_yaml
from scopezoo.store.tensors import FileReference


@dataclass(frozen=True)
class Package:
    """A model package; files are read from it by reference and checked as they are read."""

    files: PackageFiles
    description: Description
    rdf_name: str
    rdf_sha256: str

    @property
    def location(self) -> Path:
        return self.files.location

    @property
    def id(self) -> str:
        """The id of the description, or the name of the folder or zip."""
        return self.description.id or self.location.name.removesuffix(".zip")

    def read(self, reference: FileReference) -> bytes:
        """Content of a file of the package.

        Raises UnsafePackageError for a URL or a path out of the package, and PackageError for a
        missing file or one whose SHA-256 is not the stated one.
        """
        problem = name_problem(reference.source)
        if problem:
            raise UnsafePackageError(f"{self.location}: {problem}")
        content = self.files.read(reference.source)
        if reference.sha256 and sha256(content) != reference.sha256.lower():
            raise PackageError(
                f"{self.location}: {reference.source} does not have the SHA-256 that the package "
                "states; the file is damaged or was exchanged: get the package again"
            )
        return content


def open_package(path: str | Path) -> Package:
    """Open the package in a folder or zip. Nothing but its description is read.

    Raises FileError, PackageError or UnsafePackageError.
    """
    files = open_files(Path(path))
    rdf_name = find_rdf(files)
    content = read_yaml(files, rdf_name)
    try:
        description = parse_description(load_yaml(content, rdf_name))
    except PackageError as error:
        raise type(error)(f"{path}: {error}") from error
    return Package(files, description, rdf_name, sha256(content))
