"""Peers of the server, each in an environment of its own, made when it is not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = {
    "mlserver": ("mlserver==1.7.1", "onnxruntime"),
    "kserve": ("kserve==0.21.0", "onnxruntime"),
}


@dataclass(frozen=True)
class Peer:
    """`python` of the environment that `name` is installed in."""

    name: str
    python: Path


def install(name: str, folder: Path) -> Peer | None:
    """The peer in `folder`, installed now if need be; None, with the reason told, if it cannot."""
    environment = folder / name
    python = environment / "bin" / "python"
    if not _has(python, name):
        print(f"installing {name} in {environment}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        command = [python, "-m", "pip", "install", "--quiet", *PACKAGES[name]]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = " ".join(done.stderr.strip().splitlines()[-1:])
            print(f"{name} cannot be installed and is left out: {last}", file=sys.stderr)
            return None
    return Peer(name, python)


def _has(python: Path, module: str) -> bool:
    if not python.exists():
        return False
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode == 0


def start(peer: Peer, weights: Path, folder: Path, http: int, grpc: int) -> subprocess.Popen[str]:
    """The peer's server of a model "network", with its log in `folder`."""
    log = (folder / f"{peer.name}.log").open("w")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if peer.name == "kserve":
        command = [peer.python, HERE / "kserve_model.py", weights, str(http), str(grpc)]
    else:
        _write_mlserver_settings(folder, weights, http, grpc)
        command = [peer.python.with_name("mlserver"), "start", folder]
        environment["PYTHONPATH"] = str(HERE)
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, text=True)


def _write_mlserver_settings(folder: Path, weights: Path, http: int, grpc: int) -> None:
    settings = {
        "http_port": http,
        "grpc_port": grpc,
        "metrics_endpoint": None,
        "parallel_workers": 0,
        "grpc_max_message_length": -1,
        "debug": False,
    }
    model = {
        "name": "network",
        "implementation": "mlserver_model.Network",
        "parameters": {"uri": str(weights)},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(model))
