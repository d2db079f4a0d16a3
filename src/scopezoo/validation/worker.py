"""The process that looks at a package, so that the validator outlives whatever it finds.

Reads its task as JSON from stdin and writes one JSON object per line to what was stdout; whatever
the libraries print goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from scopezoo.validation.levels import run_levels
from scopezoo.validation.limits import limit_memory
from scopezoo.validation.network import block_network
from scopezoo.validation.report import Check, to_plain
from scopezoo.validation.subject import Subject


def main() -> None:
    """Validate the package that stdin names."""
    task = json.load(sys.stdin)
    limit_memory(int(task["memory_bytes"]))
    block_network()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(message: dict[str, Any]) -> None:
        answers.write(json.dumps(message, allow_nan=False) + "\n")
        answers.flush()

    identified = False
    subject = Subject(Path(task["location"]), Path(task["copy"]), bool(task["trust"]))
    for number, found in enumerate(run_levels(subject)):
        if isinstance(found, Check):
            answer({"check": to_plain(found)})
            continue
        answer({"level": found})
        if number > 0 and not identified:
            identified = True
            answer({"identity": to_plain(subject.identity())})


if __name__ == "__main__":
    main()
