"""`scopezoo dataset …` as it is called, in this process."""

from __future__ import annotations

from scopezoo.cli.dataset import app
from scopezoo.cli.failures import run_guarded


def call(*words: object) -> int:
    """Its exit status."""
    return run_guarded(lambda: app([str(word) for word in words], standalone_mode=False))
