"""What a process may use: the machine's memory, or less where a container says so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scopezoo.predict.machine import memory_bytes


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
