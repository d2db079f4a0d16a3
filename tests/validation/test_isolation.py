"""The process that looks at a package: no network, in bounds, and its end is a failed check."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scopezoo.validation import Check, Limits, Report, validate
from tests.validation.packages import Files, Rdf, package_files, write_folder

ATTEMPTS = {
    "connect": "import socket; socket.create_connection(('127.0.0.1', 9))",
    "look up": "import socket; socket.getaddrinfo('example.com', 80)",
    "urllib": "import urllib.request as u; u.build_opener().open('http://127.0.0.1:9/')",
    "httpx": "import httpx; httpx.get('http://127.0.0.1:9/')",
    "udp": "import socket; socket.socket(2, 2).sendto(b'x', ('127.0.0.1', 9))",
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_the_network_is_blocked_and_attempts_are_remembered(attempt: str) -> None:
    script = f"""
import json
from scopezoo.validation.network import block_network, network_attempts
block_network()
try:
    {ATTEMPTS[attempt]}
    said = "went through"
except Exception as error:
    said = str(error)
print(json.dumps([said, network_attempts()]))
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said, attempts = json.loads(done.stdout)
    assert "the network is off" in said
    assert attempts[0].startswith("socket.")


def code_package(folder: Path, code: str) -> Path:
    """A package whose state dict comes with `code` as its architecture."""

    def change(rdf: Rdf, files: Files) -> None:
        files["net.py"] = code.encode()
        files["state.pt"] = b"no state"
        rdf["weights"]["pytorch_state_dict"] = {
            "source": "state.pt",
            "parent": "onnx",
            "pytorch_version": "2.5.0",
            "architecture": {"source": "net.py", "callable": "Net"},
        }

    return write_folder(folder, package_files(change))


def trusted(folder: Path, code: str) -> Report:
    pytest.importorskip("torch", reason="a state dict needs the extra torch")
    limits = Limits(seconds_per_check=60)
    return validate(code_package(folder, code), trust=True, limits=limits)


def failed(report: Report) -> list[Check]:
    return [check for check in report.checks if check.status == "failed"]


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("import os; os.abort()", "signal SIGABRT"),
        ("import os; os._exit(3)", "status 3"),
        ("raise SystemExit(4)", "status 4"),
        ("import ctypes; ctypes.string_at(0)", "signal SIGSEGV"),
    ],
)
def test_the_end_of_the_process_is_a_failed_check(tmp_path: Path, code: str, word: str) -> None:
    found = failed(trusted(tmp_path / "p", code))
    assert [check.level for check in found] == ["reproduces"]
    assert word in found[0].message


def test_an_error_of_the_code_does_not_end_it(tmp_path: Path) -> None:
    found = failed(trusted(tmp_path / "p", "raise RuntimeError('broken')"))
    assert [check.name for check in found] == ["pytorch_state_dict runs"]
    assert "broken" in found[0].message


def test_what_it_prints_does_not_disturb(tmp_path: Path) -> None:
    report = trusted(tmp_path / "p", "print('{\"check\": 1}')\nraise ValueError")
    assert [check.name for check in failed(report)] == ["pytorch_state_dict runs"]


def test_the_caller_s_secrets_stay_with_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "secret")
    code = "import os; raise ValueError(os.environ.get('SOME_TOKEN', 'no token'))"
    found = failed(trusted(tmp_path / "p", code))
    assert "no token" in found[0].message


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    package = write_folder(tmp_path / "p", package_files())
    before = sorted(os.walk(package))
    validate(package)
    assert list(temporary.iterdir()) == []
    assert sorted(os.walk(package)) == before
