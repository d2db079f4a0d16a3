"""Level 10: the package needs the memory and time that it states."""

from __future__ import annotations

import math
import re
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scopezoo.validation.report import Check
from scopezoo.validation.runs import WHOLE_BYTES, Arrays, engine, image_of_sizes, test_inputs
from scopezoo.validation.subject import Subject

LEVEL = "resources"
MEMORY_FACTOR = 1.5
TIME_FACTOR = 5.0
"""How far beyond the statement is still believed: machines differ more in time than in memory."""
MAX_IMAGE_PX = 50_000_000
RUNS_PER_MEASUREMENT = 3
_UNITS = {
    **{"ms": 1e-3, "s": 1.0, "seconds": 1.0, "min": 60.0},
    **{"kB": 1e3, "MB": 1e6, "MiB": 2**20, "GB": 1e9, "GiB": 2**30},
}
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|seconds|s|min)\b")
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*(kB|MB|MiB|GB|GiB)\b")
_SIZES = re.compile(r"\d+(?:\s*[x×]\s*\d+)+")


def checks(subject: Subject) -> Iterator[Check]:
    """Measure on an image of the stated size, or the test input, and compare with the statement."""
    config = subject.package.description.rdf.get("config")
    stated = config.get("bioimageio") if isinstance(config, dict) else None
    stated = stated if isinstance(stated, dict) else {}
    yield _time_check(subject, stated)
    yield _memory_check(subject, stated)


def _time_check(subject: Subject, stated: Mapping[str, Any]) -> Check:
    text = str(stated.get("inference_time") or "")
    found = _TIME.search(text)
    if not found:
        return _unstated("time", "config.bioimageio.inference_time")
    image = _image(subject, text)
    network = engine(subject, memory_bytes=WHOLE_BYTES)
    network.predict_sample(image)
    times: list[float] = []
    for _ in range(RUNS_PER_MEASUREMENT):
        started = time.perf_counter()
        network.predict_sample(image)
        times.append(time.perf_counter() - started)
    return _verdict("time", statistics.median(times), _value(found), TIME_FACTOR, "s", text)


def _memory_check(subject: Subject, stated: Mapping[str, Any]) -> Check:
    text = str(stated.get("memory_requirements_inference") or "")
    found = _MEMORY.search(text)
    if not found:
        return _unstated("memory", "config.bioimageio.memory_requirements_inference")
    image = _image(subject, text)
    before = _peak_bytes(reset=True)
    if before is None:
        return Check(LEVEL, "memory", "skipped", "this system does not tell the peak of a process")
    engine(subject, memory_bytes=WHOLE_BYTES).predict_sample(image)
    used = max(0, (_peak_bytes(reset=False) or 0) - before)
    return _verdict("memory", used / 1e6, _value(found) / 1e6, MEMORY_FACTOR, "MB", text)


def _unstated(name: str, key: str) -> Check:
    return Check(
        LEVEL, name, "skipped", f"{key} states no figure", {}, "scopezoo package measures it"
    )


def _value(found: re.Match[str]) -> float:
    return float(found[1]) * _UNITS[found[2]]


def _verdict(
    name: str, measured: float, stated: float, factor: float, unit: str, text: str
) -> Check:
    figures = {f"measured_{unit}": measured, f"stated_{unit}": stated}
    message = f"{measured:.3g} {unit} measured, {stated:.3g} {unit} stated ({text[:120]})"
    if measured <= stated * factor:
        return Check(LEVEL, name, "passed", message, figures)
    hint = "measure again where the model is to run, and state that"
    return Check(LEVEL, name, "warned", message, figures, hint)


def _image(subject: Subject, text: str) -> Arrays:
    """An image of the size that the statement ends with, the test input where it names none."""
    stated = _SIZES.search(text)
    axes = [axis.id for axis in engine(subject).geometry.axes]
    numbers = [int(number) for number in re.findall(r"\d+", stated[0])] if stated else []
    sizes = dict(zip(axes[::-1], numbers[::-1], strict=False))
    if len(sizes) < len(axes) or math.prod(sizes.values()) > MAX_IMAGE_PX:
        return test_inputs(subject.package)
    return image_of_sizes(subject.package, sizes)


def _peak_bytes(*, reset: bool) -> int | None:
    """Peak resident memory of this process, after setting it back to the current one (Linux)."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else None
