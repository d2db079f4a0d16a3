"""Measures a package's time and memory in a fresh process, where nothing ran before.

Reads its task as JSON from stdin and prints `{"time_s": …, "memory_bytes": …}`; memory is null
where the system does not tell the peak of a process.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
import time
from pathlib import Path

from scopezoo.validation.network import block_network
from scopezoo.validation.runs import WHOLE_BYTES, engine, image_of_sizes
from scopezoo.validation.subject import Subject

RUNS = 3


def main() -> None:
    """Load the network and run it some times on an image of the sizes that stdin names."""
    task = json.load(sys.stdin)
    block_network()
    subject = Subject(Path(task["copy"]), Path(task["copy"]), bool(task["trust"]))
    image = image_of_sizes(subject.package, task["sizes"])
    before = _peak_bytes()
    network = engine(subject, memory_bytes=WHOLE_BYTES)
    network.predict_sample(image)
    after = _peak_bytes()
    times: list[float] = []
    for _ in range(RUNS):
        started = time.perf_counter()
        network.predict_sample(image)
        times.append(time.perf_counter() - started)
    memory = None if before is None or after is None else after - before
    print(json.dumps({"time_s": statistics.median(times), "memory_bytes": memory}))


def _peak_bytes() -> int | None:
    """Peak resident memory of this process, which getrusage mixes with its parent's on Linux."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else None


if __name__ == "__main__":
    main()
