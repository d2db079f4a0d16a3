"""What a process may use: the machine's memory, or less where a container says so."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from scopezoo.predict.machine import give_memory_back, memory_bytes, resident_bytes


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
def test_a_limit_of_the_container_counts(tmp_path: Path, name: str) -> None:
    whole = memory_bytes(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("123456789\n")
    assert memory_bytes(tmp_path) == 123456789
    (tmp_path / name).write_text(f"{2**63 - 4096}\n")
    assert memory_bytes(tmp_path) == whole
    (tmp_path / name).write_text("max\n")
    assert memory_bytes(tmp_path) == whole


def test_a_system_that_does_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> int:
        raise ValueError(f"unrecognized configuration name {name}")

    monkeypatch.setattr(os, "sysconf", unknown)
    assert memory_bytes(tmp_path) is None
    monkeypatch.delattr(os, "sysconf")
    assert memory_bytes(tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system takes it by itself")
def test_memory_of_dropped_arrays_is_given_back() -> None:
    small = [np.ones(1000) for _ in range(20_000)]  # 160 MB in pieces that malloc keeps
    kept = small[-1]
    del small
    before = resident_bytes()
    give_memory_back()
    after = resident_bytes()
    assert before is not None
    assert after is not None
    assert kept.all()
    assert before - after > 100_000_000
