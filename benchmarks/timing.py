"""Runs both sides of a comparison in turn, and prints medians and ratios."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

SCOPEZOO = str(Path(sys.executable).with_name("scopezoo"))
DATA = Path(os.environ.get("SCOPEZOO_DATA", Path(__file__).parents[2] / "shared" / "data"))
MODEL = DATA / "bmz_nuclei_broad_dynamic"


def interleaved(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each side, one after the other, `rounds` times over."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            seconds[name].append(run())
    return seconds


def wall_s(command: Sequence[str], cpus: Sequence[int] | None = None) -> float:
    """Wall time of a whole process that may use these CPUs."""
    started = time.perf_counter()
    _run(command, cpus)
    return time.perf_counter() - started


def told_s(script: str, arguments: Sequence[object], cpus: Sequence[int] | None = None) -> float:
    """Seconds that a Python script prints as its last line: a peer's call alone."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return float(json.loads(_run(command, cpus).splitlines()[-1]))


def _run(command: Sequence[str], cpus: Sequence[int] | None) -> str:
    def pin() -> None:
        if cpus is not None:
            os.sched_setaffinity(0, cpus)

    threads = {"OMP_NUM_THREADS": str(len(cpus))} if cpus else {}
    done = subprocess.run(
        command,
        preexec_fn=pin,
        env={**os.environ, **threads},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)[:200]} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def print_table(title: str, seconds: Mapping[str, list[float]], baseline: str) -> None:
    """Medians, ranges, and how many times faster than the baseline each side is."""
    reference = statistics.median(seconds[baseline])
    print(f"\n{title}\n\n| | median s | min–max s | {baseline} ÷ this |\n|---|---|---|---|")
    for name, values in seconds.items():
        median = statistics.median(values)
        spread = f"{min(values):.2f}–{max(values):.2f}"
        print(f"| {name} | {median:.2f} | {spread} | {reference / median:.2f} |")
    sys.stdout.flush()
