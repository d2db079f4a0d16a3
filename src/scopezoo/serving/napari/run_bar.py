"""Run and Cancel, the progress, and what came of it."""

from __future__ import annotations

from napari.utils import progress
from qtpy import QtWidgets

from scopezoo.serving.napari.words import duration

_LOOKS = {
    "plain": "",
    "warning": "background: #e3b617; color: #1c1c1c; border-radius: 3px; padding: 6px;",
    "error": "background: #99121f; color: white; border-radius: 3px; padding: 6px;",
}


class RunBar(QtWidgets.QWidget):
    """Two buttons, a bar and a line of text; the bar is napari's activity too."""

    def __init__(self) -> None:
        super().__init__()
        self.run = QtWidgets.QPushButton("Run")
        self.cancel = QtWidgets.QPushButton("Cancel")
        self.bar = QtWidgets.QProgressBar()
        self.bar.setTextVisible(False)
        self.message = QtWidgets.QLabel()
        self.message.setWordWrap(True)
        self.message.setTextInteractionFlags(
            self.message.textInteractionFlags().TextSelectableByMouse
        )
        self._activity: progress | None = None
        buttons = QtWidgets.QHBoxLayout()
        buttons.addWidget(self.run, 2)
        buttons.addWidget(self.cancel, 1)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(buttons)
        layout.addWidget(self.bar)
        layout.addWidget(self.message)
        self.end("")

    def begin(self, what: str) -> None:
        """Show that work has begun, of which it is not known yet how long it takes."""
        self.cancel.setEnabled(True)
        self.run.setEnabled(False)
        self.bar.setRange(0, 0)
        self.bar.show()
        self.say(f"{what}: reading the image …")
        self._activity = progress(total=0, desc=what)

    def show_progress(self, done: int, total: int, seconds_left: float) -> None:
        """Show how far the work is."""
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        if self._activity is not None:
            self._activity.total = total
            self._activity.update(done - self._activity.n)
        left = f", {duration(seconds_left)} left" if done < total else ""
        self.say(f"{done} of {total} tiles{left}" if done < total else "Making the result …")

    def end(self, message: str, look: str = "plain") -> None:
        """Show that no work goes on."""
        if self._activity is not None:
            self._activity.close()
            self._activity = None
        self.cancel.setEnabled(False)
        self.bar.hide()
        self.say(message, look)

    def say(self, message: str, look: str = "plain") -> None:
        """Show a text: "plain", "warning" or "error"."""
        self.message.setVisible(bool(message))
        self.message.setText(message)
        self.message.setStyleSheet(_LOOKS[look])
