"""Runs both sides of a comparison in turn, and prints medians and ratios.

Wall time is what a person waits for; CPU time says the same of one thread on a machine that others
use too, and much less noisily.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SCOPEZOO = str(Path(sys.executable).with_name("scopezoo"))
DATA = Path(os.environ.get("SCOPEZOO_DATA", Path(__file__).parents[2] / "shared" / "data"))
MODEL = DATA / "bmz_nuclei_broad_dynamic"


LIMIT_CORE = """
import os, onnxruntime
_Session, _threads = onnxruntime.InferenceSession, len(os.sched_getaffinity(0))
def _limited(*args, **kwargs):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads
    return _Session(*args, **{"sess_options": options, **kwargs})
onnxruntime.InferenceSession = _limited
"""
"""Left alone, onnxruntime pins a thread to every core of the machine, whatever it may use."""


@dataclass(frozen=True)
class Spent:
    """Seconds of one run, and the most memory of its process."""

    wall_s: float
    cpu_s: float
    peak_bytes: int = 0


def interleaved(sides: Mapping[str, Callable[[], Spent]], rounds: int) -> dict[str, list[Spent]]:
    """What each side spends, one after the other, `rounds` times over."""
    spent: dict[str, list[Spent]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            spent[name].append(run())
    return spent


def whole_process(command: Sequence[str], cpus: Sequence[int] | None = None) -> Spent:
    """A process from start to end, on these CPUs alone."""
    started = time.perf_counter()
    _, usage = _run(command, cpus)
    wall_s = time.perf_counter() - started
    return Spent(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def told(script: str, arguments: Sequence[object], cpus: Sequence[int] | None = None) -> Spent:
    """What a Python script prints as its last line, [wall, CPU]: a peer's call alone."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    output, usage = _run(command, cpus)
    return Spent(*json.loads(output.splitlines()[-1]), usage.ru_maxrss * 1024)


def call(function: Callable[[], object]) -> Spent:
    """One call in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def _run(command: Sequence[str], cpus: Sequence[int] | None) -> tuple[str, resource.struct_rusage]:
    def pin() -> None:
        if cpus is not None:
            os.sched_setaffinity(0, cpus)

    threads = {"OMP_NUM_THREADS": str(len(cpus))} if cpus else {}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, preexec_fn=pin, env={**os.environ, **threads}, stdout=output, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)[:200]} failed:\n{errors.read()[-2000:]}")
        return output.read(), usage


def print_table(title: str, spent: Mapping[str, list[Spent]], baseline: str) -> None:
    """Medians, and how many times the baseline takes as long as each side."""

    def medians(name: str) -> tuple[float, float]:
        runs = spent[name]
        wall_s = statistics.median(run.wall_s for run in runs)
        return wall_s, statistics.median(run.cpu_s for run in runs)

    reference = medians(baseline)
    print(f"\n{title}; {len(spent[baseline])} runs each, in turn; medians\n")
    print(f"| | wall s | CPU s | {baseline} ÷ this, wall | CPU | most memory MB |")
    print("|---|---|---|---|---|---|")
    for name in spent:
        wall_s, cpu_s = medians(name)
        ratios = f"{reference[0] / wall_s:.2f} | {reference[1] / cpu_s:.2f}"
        peak_mb = max(run.peak_bytes for run in spent[name]) / 1e6
        print(f"| {name} | {wall_s:.3g} | {cpu_s:.3g} | {ratios} | {peak_mb:.0f} |")
    sys.stdout.flush()
