"""Runs a model on a layer of napari, as a press of its Run button does.

`python examples/napari/run_a_model.py` leaves the window open; with the name of a PNG it saves a
picture of the window there and ends. It needs the extra: pip install 'scopezoo[napari]'.
"""

from __future__ import annotations

import sys
import time

import napari


def main() -> None:
    """Find the nuclei of the sample image, and say how many there are."""
    viewer = napari.Viewer(show=len(sys.argv) == 1)
    _, widget = viewer.window.add_plugin_dock_widget("scopezoo", "Run a model")
    wait_until(lambda: widget.models.model() is not None)
    widget.models.search.setText("nuclei stardist")
    viewer.open_sample("scopezoo", "real_nuclei")
    widget.run()
    wait_until(lambda: not widget.runner.is_running)
    print(f"{len(viewer.layers[-1].features)} nuclei in the layer {viewer.layers[-1].name!r}")
    if len(sys.argv) > 1:
        viewer.screenshot(sys.argv[1], canvas_only=False, flash=False)
        viewer.close()
    else:
        napari.run()


def wait_until(condition) -> None:  # type: ignore[no-untyped-def]
    """Let the window work until the condition holds."""
    while not condition():
        napari.qt.get_qapp().processEvents()
        time.sleep(0.01)


if __name__ == "__main__":
    main()
