"""What jobs are compared with: the command line, in a process of its own."""

from __future__ import annotations

import subprocess
import sys


def command_line(*arguments: object) -> None:
    """Run `scopezoo` and be sure that it succeeded."""
    command = [sys.executable, "-m", "scopezoo", *map(str, arguments), "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
