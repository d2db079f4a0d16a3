"""Where models run: on this computer, or on a server whose address is given."""

from __future__ import annotations

from pathlib import Path

from qtpy import QtCore, QtWidgets


class WhereForm(QtWidgets.QWidget):
    """Signals: `opened` (path of a package), `local`, and `asked` (address, token) of a server."""

    opened = QtCore.Signal(object)  # type: ignore[attr-defined] # qtpy names it for all bindings
    local = QtCore.Signal()  # type: ignore[attr-defined]
    asked = QtCore.Signal(str, str)  # type: ignore[attr-defined]

    def __init__(self) -> None:
        super().__init__()
        self._settings = QtCore.QSettings("scopezoo", "napari")
        self.where = QtWidgets.QComboBox()
        self.where.addItems(["Models on this computer", "Models on a server"])
        self.open = QtWidgets.QPushButton("Open")
        self.open.setToolTip("Use a model package of your own")
        menu = QtWidgets.QMenu(self.open)
        menu.addAction("Zip file …", self._open_zip)
        menu.addAction("Folder …", self._open_folder)
        self.open.setMenu(menu)
        self.address = QtWidgets.QLineEdit(str(self._settings.value("server", "")))
        self.address.setPlaceholderText("http://server:8000")
        self.token = QtWidgets.QLineEdit()
        self.token.setPlaceholderText("token, if the server asks for one")
        self.token.setEchoMode(QtWidgets.QLineEdit.EchoMode.Password)
        self.connect_button = QtWidgets.QPushButton("Connect")
        self.server = QtWidgets.QWidget()
        grid = QtWidgets.QGridLayout(self.server)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.address, 0, 0, 1, 2)
        grid.addWidget(self.token, 1, 0)
        grid.addWidget(self.connect_button, 1, 1)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self.where, 1)
        row.addWidget(self.open)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.server)
        self.server.hide()
        self.where.currentIndexChanged.connect(self._changed)
        self.connect_button.clicked.connect(self._ask)
        self.address.returnPressed.connect(self._ask)
        self.token.returnPressed.connect(self._ask)

    def remember(self) -> None:
        """Keep the address for the next time; the token is not kept."""
        self._settings.setValue("server", self.address.text().strip())

    def _changed(self, index: int) -> None:
        self.server.setVisible(index == 1)
        self.open.setVisible(index == 0)
        if index == 0:
            self.local.emit()
        elif self.address.text().strip():
            self._ask()

    def _ask(self) -> None:
        self.asked.emit(self.address.text().strip(), self.token.text())

    def _open_zip(self) -> None:
        path, _ = QtWidgets.QFileDialog.getOpenFileName(
            self, "Open a model package", "", "Model packages (*.zip)"
        )
        if path:
            self.opened.emit(Path(path))

    def _open_folder(self) -> None:
        path = QtWidgets.QFileDialog.getExistingDirectory(self, "Open the folder of a package")
        if path:
            self.opened.emit(Path(path))
