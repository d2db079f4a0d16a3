"""A display for napari, and a viewer with the widget."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

napari = pytest.importorskip("napari", reason="napari is not installed: scopezoo[napari]")

START_QT = "from qtpy.QtWidgets import QApplication; QApplication([])"
WIDGET = "Run a model"


@pytest.fixture(scope="session")
def display() -> None:
    """The display there is, else one of Xvfb's; skips where Qt cannot use it."""
    os.environ.setdefault("QT_API", "pyside6")
    if not os.environ.get("DISPLAY"):
        _start_display()
    # in a process of its own: where a library is missing, Qt ends the process
    command = [sys.executable, "-c", START_QT]
    started = subprocess.run(command, capture_output=True, text=True, check=False)
    if started.returncode != 0:
        pytest.skip(f"Qt does not start: {started.stderr.strip()[-300:]}")


def _start_display() -> None:
    """Start Xvfb, which lives as long as this process: Qt needs it to the end."""
    if shutil.which("Xvfb") is None:
        pytest.skip("there is no display, and Xvfb is not installed")
    read, write = os.pipe()
    options = ["-displayfd", str(write), "-screen", "0", "1400x900x24", "-nolisten", "tcp"]
    server = subprocess.Popen(["Xvfb", *options], pass_fds=[write], stderr=subprocess.DEVNULL)
    atexit.register(server.terminate)
    os.close(write)
    with os.fdopen(read) as number:
        os.environ["DISPLAY"] = f":{number.readline().strip()}"


@pytest.fixture
def plugins(display: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ARG001
    """The plugin manager of a test, with this plugin as its manifest file says."""
    from npe2 import PluginManager, PluginManifest
    from qtpy.QtCore import QSettings

    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, str(tmp_path))
    monkeypatch.setenv("NAPARI_CONFIG", str(tmp_path / "napari.yaml"))
    manager = PluginManager.instance()
    if "scopezoo" not in manager:
        import scopezoo.serving.napari as plugin

        manifest = Path(plugin.__path__[0]) / "napari.yaml"
        manager.register(PluginManifest.from_file(manifest))
    return manager


@pytest.fixture
def viewer(plugins: Any, make_napari_viewer: Callable[..., Any]) -> Any:  # noqa: ARG001
    return make_napari_viewer()


@pytest.fixture
def widget(viewer: Any, qtbot: Any) -> Any:
    """The widget in a viewer, with the models of this computer."""
    _, found = viewer.window.add_plugin_dock_widget("scopezoo", WIDGET)
    qtbot.waitUntil(lambda: found.models.model() is not None)
    return found
