"""The real ImageJ with the plugin, run by macros."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

IJ_JAR = Path(os.environ.get("IJ_JAR", "/usr/share/java/ij.jar"))
SOURCES = Path(__file__).parents[2] / "clients" / "imagej"
TOOLS = ("java", "javac", "jar", "xvfb-run")


@dataclass(frozen=True)
class ImageJ:
    """An ImageJ of its own: `folder` has its plugins, and its preferences in `home`."""

    folder: Path

    def run(self, macro: str, work: Path) -> str:
        """What ImageJ printed while it ran a macro; its exit status tells nothing."""
        path = work / "macro.ijm"
        path.write_text(macro)
        java = ["java", f"-Duser.home={self.folder / 'home'}", f"-Dplugins.dir={self.folder}"]
        java += ["-cp", str(IJ_JAR), "ij.ImageJ", "-batch", str(path)]
        command = ["timeout", "--kill-after=5", "90", "xvfb-run", "-a", *java]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        return done.stdout + done.stderr


def build_plugin() -> Path:
    """The plugin's jar, built now; the test is skipped where that cannot be."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing or not IJ_JAR.exists():
        lacks = ", ".join(missing or [str(IJ_JAR)])
        pytest.skip(f"needs {lacks}: apt-get install imagej xvfb xauth default-jdk-headless")
    subprocess.run([SOURCES / "build.sh"], check=True, timeout=120, capture_output=True)
    return SOURCES / "build" / "scopezoo_imagej.jar"


def compile_test_sources(jar: Path, folder: Path) -> None:
    """Classes that only tests need, into `folder`."""
    sources = sorted((SOURCES / "src" / "test" / "java").rglob("*.java"))
    command = ["javac", "--release", "8", "-Xlint:-options", "-cp", f"{jar}:{IJ_JAR}"]
    subprocess.run([*command, "-d", folder, *sources], check=True, timeout=120)
