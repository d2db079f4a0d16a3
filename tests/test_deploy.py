"""What is deployed is what Kubernetes knows, and what the server understands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer.testing
import yaml

from scopezoo.cli import app

ROOT = Path(__file__).parents[1]
MANIFESTS = list(yaml.safe_load_all((ROOT / "deploy/kubernetes/scopezoo.yaml").read_text()))
KSERVE = yaml.safe_load((ROOT / "deploy/kserve/inference-service.yaml").read_text())
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda m: m["kind"])
def test_kubernetes_knows_every_field(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, "1.31", strict=True)


def test_the_pod_of_kserve_is_one_that_kubernetes_knows() -> None:
    """KServe's own fields beside the pod's are minReplicas, maxReplicas and timeout."""
    predictor = dict(KSERVE["spec"]["predictor"])
    for own in ("minReplicas", "maxReplicas", "timeout"):
        assert isinstance(predictor.pop(own), int)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": predictor}
    kubernetes_validate.validate(pod, "1.31", strict=True)


def commands() -> list[list[str]]:
    pods = [m["spec"]["template"]["spec"] for m in MANIFESTS if m["kind"] == "Deployment"]
    containers = [*pods[0]["containers"], *KSERVE["spec"]["predictor"]["containers"]]
    return [*(c["args"] for c in containers), COMPOSE["services"]["scopezoo"]["command"]]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_the_commands_are_understood(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr("scopezoo.serving.serve.serve", lambda settings, **_: seen.append(settings))
    monkeypatch.setenv("SCOPEZOO_TOKENS", "predict:0123456789abcdef")
    done = typer.testing.CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert seen[0].host == "0.0.0.0"
    assert seen[0].memory_bytes == 3_000_000_000
