"""The folder where results grow until they are whole, so that none is seen half-written.

Beside the final names lies `.<stem>.partial/` with everything that is unfinished: the output
itself, the list of finished tiles, and what the run was started with. It is renamed into place at
the end; after a kill, `--resume` goes on from it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scopezoo.errors import FileError, UsageError

STATE = "started_with.json"
LOG = "tiles.log"
READY = "ready.json"
"""Names of the results, once all of them are whole and only have to be moved."""


class WorkFolder:
    """Unfinished results of one run. Use `start` to make or reopen one."""

    def __init__(self, folder: Path, finished: Mapping[int, set[int]] | None = None) -> None:
        self.folder = folder
        self._finished = finished or {}

    @classmethod
    def start(cls, stem: Path, started_with: Mapping[str, Any], resume: bool) -> WorkFolder:
        """The work folder of results whose names begin with `stem`.

        `started_with` says what must be the same to go on (JSON). Without `resume`, what an
        earlier run left is removed. Raises UsageError where a resumed run was started with
        something else, FileError where the folder cannot be made.
        """
        folder = _folder(stem)
        with disk_errors(folder):
            before = _read_state(folder) if resume else None
            if before is not None:
                check_same(before, started_with, str(folder))
                return cls(folder, _read_log(folder / LOG))
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir(parents=True)
            try:
                _write_whole(folder / STATE, json.dumps(started_with, indent=1, default=str))
            except OSError:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        return cls(folder)

    def path(self, name: str) -> Path:
        """Where a file or folder of this run is while it is unfinished."""
        return self.folder / name

    @staticmethod
    def exists(stem: Path) -> bool:
        """Whether results of this stem have an unfinished run."""
        return _read_state(_folder(stem)) is not None

    def finished(self, sample: int) -> set[int]:
        """Numbers of the sample's tiles whose outputs were stored before this run."""
        return self._finished.get(sample, set())

    def mark(self, sample: int, tile: int) -> None:
        """Note that a tile's outputs are stored."""
        with (self.folder / LOG).open("a") as log:
            log.write(f"{sample} {tile}\n")

    def is_ready(self) -> bool:
        """Whether an earlier run made all results, and only was stopped while it moved them."""
        return (self.folder / READY).exists()

    def ready(self, names: Sequence[str]) -> None:
        """Note that the named results are whole."""
        with disk_errors(self.folder):
            _write_whole(self.folder / READY, json.dumps(list(names)))

    def publish(self) -> None:
        """Move the results that are ready beside the folder, and remove the folder."""
        with disk_errors(self.folder):
            for name in json.loads((self.folder / READY).read_text()):
                if self.path(name).exists():
                    _replace(self.path(name), self.folder.parent / name)
            (self.folder / STATE).unlink()  # first: without it the rest is no run to go on with
            shutil.rmtree(self.folder)

    def abandon(self) -> None:
        """After a failure: keep what `--resume` can go on from, else leave nothing behind."""
        if not (self.folder / LOG).exists():
            (self.folder / STATE).unlink(missing_ok=True)
            shutil.rmtree(self.folder, ignore_errors=True)


class WorkPart(WorkFolder):
    """The part of a work folder that belongs to one of several predictions.

    Its names begin with `prefix`, and its samples count on from `first_sample`.
    """

    def __init__(self, whole: WorkFolder, prefix: str, first_sample: int) -> None:
        self._whole = whole
        self._prefix = prefix
        self._first = first_sample

    def path(self, name: str) -> Path:
        return self._whole.path(f"{self._prefix}{name}")

    def finished(self, sample: int) -> set[int]:
        return self._whole.finished(self._first + sample)

    def mark(self, sample: int, tile: int) -> None:
        self._whole.mark(self._first + sample, tile)


class TemporaryWork(WorkFolder):
    """For a run whose result stays in memory: the folder is made when something must wait in it."""

    def __init__(self) -> None:
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> TemporaryWork:
        return self

    def __exit__(self, *_: object) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()

    def path(self, name: str) -> Path:
        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="scopezoo-")
        return Path(self._temporary.name) / name

    def finished(self, sample: int) -> set[int]:  # noqa: ARG002 # nothing was stored before
        return set()

    def mark(self, sample: int, tile: int) -> None:
        """Nothing is noted: there is no going on."""


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns what a disk refuses into a FileError that names the path and says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise FileError(
                f"the disk of {path} is full; make room and run again with --resume"
            ) from error
        raise FileError(f"{error.filename or path}: {error.strerror or error}") from error


def _folder(stem: Path) -> Path:
    return stem.parent / f".{stem.name}.partial"


def _replace(source: Path, final: Path) -> None:
    if final.is_dir() and not final.is_symlink():
        old = final.with_name(f".{final.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        final.replace(old)
        source.replace(final)
        shutil.rmtree(old)
    else:
        source.replace(final)


def check_same(before: Mapping[str, Any], now: Mapping[str, Any], what: str) -> None:
    """Raise UsageError where `what` was made with other values than those of now."""
    now = json.loads(json.dumps(now, default=str))
    other = [key for key in now if before.get(key) != now[key]]
    if other:
        raise UsageError(
            f"{what} was made with another {', '.join(sorted(other))}; give the same again, or "
            "start anew without --resume"
        )


def _read_state(folder: Path) -> dict[str, Any] | None:
    """What a run was started with; None where there is none that can be gone on with."""
    try:
        state = json.loads((folder / STATE).read_text())
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) else None


def _write_whole(path: Path, text: str) -> None:
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(text)
    unfinished.replace(path)


def _read_log(log: Path) -> dict[int, set[int]]:
    """Finished tiles by sample; a line that a kill cut short does not count."""
    finished: dict[int, set[int]] = {}
    lines = log.read_text().split("\n")[:-1] if log.exists() else []
    for line in lines:
        sample, _, tile = line.partition(" ")
        finished.setdefault(int(sample), set()).add(int(tile))
    return finished
