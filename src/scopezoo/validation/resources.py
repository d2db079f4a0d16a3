"""Level 10: the package needs the memory and time that it states."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from scopezoo.errors import RuntimeFailedError
from scopezoo.validation.report import Check
from scopezoo.validation.runs import engine, test_inputs
from scopezoo.validation.subject import Subject

LEVEL = "resources"
MEMORY_FACTOR = 1.5
TIME_FACTOR = 5.0
"""How far beyond the statement is still believed: machines differ more in time than in memory."""
MAX_IMAGE_PX = 50_000_000
_STATEMENTS = {
    "time": ("inference_time", re.compile(r"(\d+(?:\.\d+)?)\s*(ms|seconds|s|min)\b")),
    "memory": (
        "memory_requirements_inference",
        re.compile(r"(\d+(?:\.\d+)?)\s*(kB|MB|MiB|GB|GiB)\b"),
    ),
}
_SECONDS = {"ms": 1e-3, "s": 1.0, "seconds": 1.0, "min": 60.0}
_BYTES = {"kB": 1e3, "MB": 1e6, "MiB": 2**20, "GB": 1e9, "GiB": 2**30}
_SIZES = re.compile(r"\d+(?:\s*[x×]\s*\d+)+")


def checks(subject: Subject) -> Iterator[Check]:
    """Measure on an image of the stated size, or of the test input's, and compare."""
    config = subject.package.description.rdf.get("config")
    stated = config.get("bioimageio") if isinstance(config, dict) else None
    measured: dict[str, Any] = {}
    for name, (key, pattern) in _STATEMENTS.items():
        text = str(stated.get(key) or "") if isinstance(stated, dict) else ""
        found = pattern.search(text)
        if not found:
            why = f"config.bioimageio.{key} states no figure"
            yield Check(LEVEL, name, "skipped", why, {}, "scopezoo package measures it")
            continue
        measured = measured or _measure(subject, _image_sizes(subject, text))
        value = float(found[1]) * {**_SECONDS, **_BYTES}[found[2]]
        yield _time(measured, value, text) if name == "time" else _memory(measured, value, text)


def _image_sizes(subject: Subject, text: str) -> dict[str, int]:
    """The sizes that the statement ends with, those of the test input where it names none."""
    axes = [axis.id for axis in engine(subject).geometry.axes]
    stated = _SIZES.search(text)
    numbers = [int(number) for number in re.findall(r"\d+", stated[0])] if stated else []
    sizes = dict(zip(axes[::-1], numbers[::-1], strict=False))
    if len(sizes) == len(axes) and 0 < math.prod(sizes.values()) <= MAX_IMAGE_PX:
        return sizes
    first = subject.package.description.inputs[0]
    shape = test_inputs(subject.package)[first.id].shape
    return {axis: shape[first.axis_ids.index(axis)] for axis in axes}


def _measure(subject: Subject, sizes: Mapping[str, int]) -> dict[str, Any]:
    """What the footprint process says; it lives within the limits of this one."""
    task = {"copy": str(subject.copy), "trust": subject.trust, "sizes": dict(sizes)}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "scopezoo.validation.footprint"],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise RuntimeFailedError(f"it does not run alone: {lines[-1][:300]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _time(measured: Mapping[str, Any], stated_s: float, text: str) -> Check:
    found = float(measured["time_s"])
    message = f"{found:.3g} s measured; stated: {text[:200]}"
    figures = {"measured_s": found, "stated_s": stated_s}
    return _verdict("time", found <= TIME_FACTOR * stated_s, message, figures)


def _memory(measured: Mapping[str, Any], stated_bytes: float, text: str) -> Check:
    if measured["memory_bytes"] is None:
        return Check(LEVEL, "memory", "skipped", "this system does not tell the peak of a process")
    found = float(measured["memory_bytes"])
    message = f"{found / 1e6:.4g} MB measured; stated: {text[:200]}"
    figures = {"measured_MB": found / 1e6, "stated_MB": stated_bytes / 1e6}
    return _verdict("memory", found <= MEMORY_FACTOR * stated_bytes, message, figures)


def _verdict(name: str, is_good: bool, message: str, figures: Mapping[str, float]) -> Check:
    hint = "" if is_good else "measure again where the model is to run, and state that"
    return Check(LEVEL, name, "passed" if is_good else "warned", message, figures, hint)
