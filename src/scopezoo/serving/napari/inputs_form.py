"""What a model is run on: a layer per input, its dimensions, a channel, a pixel size."""

from __future__ import annotations

from typing import Any

from napari.layers import Image as ImageLayer
from qtpy import QtCore, QtWidgets

from scopezoo.errors import UsageError
from scopezoo.serving.napari.layer_image import (
    AXES_IN_WORDS,
    axes_choices,
    channel_names,
    pixel_size_um,
    stated_axes,
)
from scopezoo.serving.napari.model import Model, ModelInput

NONE = "(none)"


class InputsForm(QtWidgets.QWidget):
    """Layers and how they are meant; `changed` is emitted when something else is chosen."""

    changed = QtCore.Signal()  # type: ignore[attr-defined] # qtpy names it for all bindings

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._model: Model | None = None
        self._choices: dict[str, QtWidgets.QComboBox] = {}
        self.facts = QtWidgets.QLabel()
        self.facts.setWordWrap(True)
        self.facts.setAlignment(QtCore.Qt.AlignmentFlag.AlignLeft)
        self.facts.setEnabled(False)
        self.axes = _combo()
        self.channel = _combo()
        self.rescale = QtWidgets.QCheckBox()
        self._form = QtWidgets.QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setRowWrapPolicy(QtWidgets.QFormLayout.RowWrapPolicy.DontWrapRows)
        self._form.addRow("", self.facts)
        self._form.addRow("Dimensions", self.axes)
        self._form.addRow("Channel", self.channel)
        self._form.addRow("", self.rescale)
        self.axes.currentIndexChanged.connect(self._show_channels)
        for name in ("inserted", "removed", "reordered", "renamed"):
            viewer.layers.events[name].connect(self._show_layers)
        self.show_model(None)

    def disconnect_viewer(self) -> None:
        """Listen to the viewer no longer."""
        for name in ("inserted", "removed", "reordered", "renamed"):
            self._viewer.layers.events[name].disconnect(self._show_layers)

    def show_model(self, model: Model | None) -> None:
        """Ask for what this model takes."""
        self._model = model
        for choice in self._choices.values():
            self._form.removeRow(choice)
        inputs = model.inputs if model else (ModelInput("image", 1, False),)
        self._choices = {one.id: _combo() for one in inputs}
        for row, (name, choice) in enumerate(self._choices.items()):
            self._form.insertRow(row, "Layer" if len(inputs) == 1 else name, choice)
            choice.currentIndexChanged.connect(self._show_facts)
        self._show_layers()

    def layers(self) -> dict[str, Any]:
        """The chosen layers by input id; optional inputs without one are left out."""
        return {
            name: choice.currentData()
            for name, choice in self._choices.items()
            if choice.currentData() is not None
        }

    def first_layer(self) -> Any:
        """The layer of the first input; None where there is none."""
        return next(iter(self._choices.values())).currentData()

    def channel_choice(self) -> str | None:
        """The channels to run on, None for all."""
        return None if self.channel.isHidden() else self.channel.currentText()

    def _show_layers(self) -> None:
        images = [layer for layer in self._viewer.layers if isinstance(layer, ImageLayer)]
        active = self._viewer.layers.selection.active
        preferred = active if active in images else images[-1] if images else None
        needed = {one.id: one for one in self._model.inputs} if self._model else {}
        for name, choice in self._choices.items():
            before = choice.currentData()
            optional = name in needed and needed[name].optional
            with QtCore.QSignalBlocker(choice):
                choice.clear()
                if optional:
                    choice.addItem(NONE, None)
                for layer in images:
                    choice.addItem(layer.name, layer)
                wanted = before if before in images else None if optional else preferred
                choice.setCurrentIndex(max(0, choice.findData(wanted)) if choice.count() else -1)
        self._show_facts()

    def _show_facts(self) -> None:
        layer = self.first_layer()
        with QtCore.QSignalBlocker(self.axes):
            self.axes.clear()
            try:
                choices = axes_choices(layer) if layer is not None else []
                self.facts.setText(_facts(layer) if choices else "Open an image, or a sample of it")
            except UsageError as error:
                choices = []
                self.facts.setText(str(error))
            for axes in choices:
                words = AXES_IN_WORDS[axes.removesuffix("C") if layer.rgb else axes]
                self.axes.addItem(f"{axes}, {words}", axes)
            if choices:
                self.axes.setCurrentIndex(choices.index(self._likely_axes(layer, choices)))
        self._form.setRowVisible(self.axes, len(choices) > 1)
        self._show_channels()

    def _likely_axes(self, layer: Any, choices: list[str]) -> str:
        stated = stated_axes(layer)
        return stated if stated in choices else choices[0]

    def _show_channels(self) -> None:
        layer, axes = self.first_layer(), self.axes.currentData()
        names = channel_names(layer, axes) if axes else ()
        takes = self._model.inputs[0].channels if self._model else 1
        with QtCore.QSignalBlocker(self.channel):
            before = self.channel.currentText()
            self.channel.clear()
            self.channel.setEditable(takes > 1)
            self.channel.addItems(names if takes == 1 else [",".join(names[:takes])])
            self.channel.setCurrentIndex(max(0, self.channel.findText(before)))
        self._form.setRowVisible(self.channel, len(names) > 0 and len(names) != takes)
        self._show_rescale()
        self.changed.emit()

    def _show_rescale(self) -> None:
        model = self._model.pixel_size_um if self._model else {}
        layer, axes = self.first_layer(), self.axes.currentData()
        known = pixel_size_um(layer, axes) if axes else {}
        self._form.setRowVisible(self.rescale, bool(model))
        self.rescale.setText(f"At the model's pixel size ({_sizes_in_words(model)})")
        self.rescale.setEnabled(bool(set(model) & set(known)))
        self.rescale.setToolTip(
            "Runs the model at the pixel size that it was trained at; the result is on the pixels "
            "of your layer."
            if self.rescale.isEnabled()
            else "The layer's pixel size is not known: set its scale, and its units to µm."
        )
        if not self.rescale.isEnabled():
            self.rescale.setChecked(False)


def _combo() -> QtWidgets.QComboBox:
    """A choice that narrows with its window, however long its entries."""
    combo = QtWidgets.QComboBox()
    combo.setSizeAdjustPolicy(
        QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    )
    combo.setMinimumContentsLength(8)
    ignored = QtWidgets.QSizePolicy.Policy.Expanding
    combo.setSizePolicy(ignored, QtWidgets.QSizePolicy.Policy.Fixed)
    return combo


def _facts(layer: Any) -> str:
    pixels = layer.data[0] if layer.multiscale else layer.data
    known = pixel_size_um(layer, stated_axes(layer) or axes_choices(layer)[0])
    size = _sizes_in_words(known) if known else "pixel size not known"
    return f"{' × '.join(map(str, pixels.shape))}, {pixels.dtype}, {size}"


def _sizes_in_words(sizes: Any) -> str:
    values = [f"{sizes[axis]:.3g}" for axis in "ZYX" if axis in sizes]
    shown = values[:1] if len(set(values)) == 1 else values
    return f"{' × '.join(shown)} µm"
