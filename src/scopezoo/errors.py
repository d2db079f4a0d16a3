"""Every error that scopezoo raises on purpose.

    ScopezooError                 exit status 1
    ├── UsageError                exit status 2: the call itself is wrong
    ├── FileError                 a file or folder is missing, broken, or not writable
    │   └── ImageError            an image cannot be read, or lacks what is needed to read it
    ├── PackageError              a model package is not what it must be
    │   ├── UnsafePackageError    it tries what a package may not do
    │   └── UntrustedError        it needs the operator's word (`--trust`) to run
    ├── ModelNotFoundError        no package answers to this name
    ├── DownloadError             a server cannot be reached, refuses, or breaks off
    ├── IncompatibleImageError    the image does not fit the model
    ├── MissingDependencyError    an extra of scopezoo is not installed
    ├── RuntimeFailedError        the network itself failed while it ran
    ├── ServerError               a server is away, refuses, or is none of scopezoo's
    └── StoppedError              stopped by the user; what was finished is kept

A message says what was found, what was expected and what to do next, in one line.
"""


class ScopezooError(Exception):
    """Base of all errors below; `exit_status` is the one of the command line."""

    exit_status = 1


class UsageError(ScopezooError):
    """The call is wrong: an option, an axis string, a name that cannot be."""

    exit_status = 2


class FileError(ScopezooError):
    """A file or folder is missing, broken, in the way, or not writable."""


class ImageError(FileError):
    """An image cannot be read, or lacks what is needed to read it."""


class PackageError(ScopezooError):
    """A model package is not what it must be."""


class UnsafePackageError(PackageError):
    """A package tries what no package may do: a path out of it, a bomb, a lying size."""


class UntrustedError(PackageError):
    """A package can only run with the operator's word, `--trust`."""


class ModelNotFoundError(ScopezooError):
    """No package answers to this name."""


class DownloadError(ScopezooError):
    """A server cannot be reached, refuses, or breaks off; `status` is its answer, if any."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class IncompatibleImageError(ScopezooError):
    """The image does not fit the model: axes, channels, or a plane for a 3D model."""


class MissingDependencyError(ScopezooError):
    """A feature needs an extra that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs more packages: pip install 'scopezoo[{extra}]'")


class RuntimeFailedError(ScopezooError):
    """The network failed while it ran."""


class ServerError(ScopezooError):
    """A server of scopezoo is away, busy for too long, refuses, or answers what none should."""


class StoppedError(ScopezooError):
    """Stopped by the user; what was finished is kept for `--resume`."""
