"""A display for napari, and a viewer with the widget."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

START_QT = "from qtpy.QtWidgets import QApplication; QApplication([])"
WIDGET = "Run a model"


@pytest.fixture(scope="session")
def display(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The display there is, else one of Xvfb's; skips where Qt cannot use it."""
    pytest.importorskip("napari", reason="napari is not installed: scopezoo[napari]")
    os.environ.setdefault("QT_API", "pyside6")
    os.environ["NAPARI_CONFIG"] = str(tmp_path_factory.mktemp("napari") / "settings.yaml")
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
def viewer(
    display: None,  # noqa: ARG001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Any]:
    """A viewer that is not shown, with this plugin; it and the widget keep settings to the test."""
    import napari
    from qtpy.QtCore import QSettings

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, str(tmp_path))
    register_plugin()
    found = napari.Viewer(show=False)
    yield found
    found.close()
    wait(0.05)


def register_plugin() -> Any:
    """The plugin manager, with this plugin as its manifest file says, installed or not."""
    from npe2 import PluginManager, PluginManifest

    manager = PluginManager.instance()
    manager.discover()
    if "scopezoo" not in manager:
        import scopezoo.serving.napari as plugin

        manager.register(PluginManifest.from_file(Path(plugin.__path__[0]) / "napari.yaml"))
    return manager


@pytest.fixture
def widget(viewer: Any) -> Any:
    """The widget in a viewer, with the models of this computer."""
    _, found = viewer.window.add_plugin_dock_widget("scopezoo", WIDGET)
    wait_until(lambda: found.models.model() is not None)
    found.models.search.setText("nuclei stardist")
    found.models.search.clear()
    assert found.models.model().id == "nuclei-stardist-2d"
    return found


def wait_until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    """Let the window work until the condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        wait(0.01)


def wait(seconds: float) -> None:
    """Let the window work for a while."""
    from qtpy.QtWidgets import QApplication

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        QApplication.processEvents()
        time.sleep(0.002)
