"""What the documentation shows works."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from tests.conftest import REPOSITORY

TEXT = (REPOSITORY / "docs" / "inference-protocol.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_python_lines_run(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    (script,) = blocks("python")
    names: dict[str, object] = {}
    exec(script.replace("127.0.0.1:8000", address.removeprefix("http://")), names)
    labels = names["labels"]
    assert (labels.dtype, labels.shape) == ("uint16", (1, 300, 450, 1))
    assert "'datatype': 'FP32'" in capsys.readouterr().out


def test_the_curl_command_is_answered(http: httpx.Client) -> None:
    (command,) = blocks("sh")
    body = re.search(r"-d '(.*)'", command, re.DOTALL)
    assert body is not None
    answer = http.post("/v2/models/nuclei-stardist-2d/infer", content=body[1])
    assert answer.json()["outputs"][0]["shape"] == [1, 2, 3, 1]
    assert json.loads(body[1])["parameters"] == {"processing": True}
