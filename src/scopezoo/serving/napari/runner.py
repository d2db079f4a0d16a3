"""Runs a job in a thread and tells how it goes."""

from __future__ import annotations

import threading
import time
from typing import Any

from napari.qt.threading import create_worker
from qtpy import QtCore

from scopezoo.errors import StoppedError
from scopezoo.serving.napari.job import Finished, Job, run_job


class Runner(QtCore.QObject):
    """One job at a time. `stop` ends it between two tiles or blocks that are read.

    Signals: `progressed` (done, total, seconds left), `finished` (Finished, seconds), `failed`
    (the exception).
    """

    progressed = QtCore.Signal(int, int, float)  # type: ignore[attr-defined] # qtpy's own name
    finished = QtCore.Signal(object, float)  # type: ignore[attr-defined]
    failed = QtCore.Signal(object)  # type: ignore[attr-defined]

    def __init__(self) -> None:
        super().__init__()
        self._stop = threading.Event()
        self._worker: Any = None

    @property
    def is_running(self) -> bool:
        return self._worker is not None

    def check(self) -> None:
        """Raise StoppedError once `stop` was called."""
        if self._stop.is_set():
            raise StoppedError("stopped")

    def stop(self) -> None:
        self._stop.set()

    def start(self, job: Job) -> None:
        """Start a job; its end is told by `finished` or `failed`, in the thread of the window."""
        self._stop.clear()
        self._worker = create_worker(self._work, job, _start_thread=False)
        self._worker.returned.connect(self._tell)
        self._worker.start()

    def _work(self, job: Job) -> tuple[Finished | None, Exception | None, float]:
        started = time.monotonic()

        def progress(done: int, total: int) -> None:
            self.check()
            left = (time.monotonic() - started) / max(1, done) * (total - done)
            self.progressed.emit(done, total, left)

        try:
            return run_job(job, progress), None, time.monotonic() - started
        except Exception as error:  # napari would show a traceback
            return None, error, time.monotonic() - started

    def _tell(self, ended: tuple[Finished | None, Exception | None, float]) -> None:
        self._worker = None
        found, error, seconds = ended
        if error is not None:
            self.failed.emit(error)
        else:
            self.finished.emit(found, seconds)
