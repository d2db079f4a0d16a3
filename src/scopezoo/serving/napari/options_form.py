"""Options that are seldom needed."""

from __future__ import annotations

from pathlib import Path

from qtpy import QtWidgets
from superqt import QCollapsible


class OptionsForm(QCollapsible):
    """Memory, tiles, a file for the result, and trust; folded away at first."""

    def __init__(self) -> None:
        super().__init__("More options", expandedIcon="▾", collapsedIcon="▸")
        self.memory = QtWidgets.QDoubleSpinBox()
        self.memory.setRange(0.1, 1024)
        self.memory.setSingleStep(0.5)
        self.memory.setDecimals(1)
        self.memory.setValue(1.0)
        self.memory.setSuffix(" GB")
        self.memory.setToolTip("What a run may take beyond the model itself.")
        self.tile = QtWidgets.QSpinBox()
        self.tile.setRange(0, 16384)
        self.tile.setSingleStep(64)
        self.tile.setSuffix(" px")
        self.tile.setSpecialValueText("as memory allows")
        self.tile.setToolTip("The largest width of a tile. Tiles do not change the result.")
        self.output = QtWidgets.QLineEdit()
        self.output.setPlaceholderText("memory")
        self.output.setToolTip(
            "A file for the result, .ome.zarr or .tif: for images whose result is too large for "
            "memory. Its record and table go beside it."
        )
        browse = QtWidgets.QToolButton()
        browse.setText("…")
        browse.clicked.connect(self._browse)
        output_row = QtWidgets.QHBoxLayout()
        output_row.addWidget(self.output)
        output_row.addWidget(browse)
        self.trust = QtWidgets.QCheckBox("Trust this package")
        self.trust.setToolTip(
            "Run code that the package brings (TorchScript, Python). Only if you know who made it."
        )
        content = QtWidgets.QWidget()
        self._form = form = QtWidgets.QFormLayout(content)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Memory", self.memory)
        form.addRow("Tiles", self.tile)
        form.addRow("Save to", output_row)
        form.addRow("", self.trust)
        self.setContent(content)
        self.collapse(animate=False)
        outer = self.layout()
        if outer is not None:
            outer.setContentsMargins(0, 0, 0, 0)

    def show_for(self, local: bool) -> None:
        """Show the options of this computer, or those that a server leaves to its callers."""
        self._form.setRowVisible(self.memory, local)
        self._form.setRowVisible(self.trust, local)

    def output_path(self) -> Path | None:
        """The file for the result; None for memory."""
        text = self.output.text().strip()
        return Path(text).expanduser() if text else None

    def _browse(self) -> None:
        path, _ = QtWidgets.QFileDialog.getSaveFileName(
            self, "Save the result to", "result.ome.zarr", "OME-Zarr, TIFF (*.ome.zarr *.tif)"
        )
        if path:
            self.output.setText(path)
