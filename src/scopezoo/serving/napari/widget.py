"""The widget: pick a model and a layer, run, and get the result as a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from napari.qt.threading import create_worker
from napari.utils.notifications import notification_manager, show_error, show_warning
from qtpy import QtCore, QtWidgets

from scopezoo.errors import ScopezooError, StoppedError, UsageError
from scopezoo.serving.napari.card import card_window
from scopezoo.serving.napari.inputs_form import InputsForm
from scopezoo.serving.napari.job import Finished, Job
from scopezoo.serving.napari.layer_image import layer_image, stated_axes
from scopezoo.serving.napari.model import Model
from scopezoo.serving.napari.model_list import ModelList
from scopezoo.serving.napari.options_form import OptionsForm
from scopezoo.serving.napari.result_layers import Place
from scopezoo.serving.napari.run_bar import RunBar
from scopezoo.serving.napari.runner import Runner
from scopezoo.serving.napari.sources import Parameters, Source, ThisComputer
from scopezoo.serving.napari.where_form import WhereForm
from scopezoo.serving.napari.words import duration, in_widget_words


class PredictWidget(QtWidgets.QWidget):
    """Runs a model of the collection, of a file, or of a server on layers of a viewer."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.this_computer = ThisComputer()
        self.source: Source = self.this_computer
        self.where = WhereForm()
        self.models = ModelList()
        self.about = QtWidgets.QLabel()
        self.about.setWordWrap(True)
        self.card = QtWidgets.QPushButton("About this model")
        self.sample = QtWidgets.QPushButton("Open a sample")
        self.inputs = InputsForm(napari_viewer)
        self.options = OptionsForm()
        self.bar = RunBar()
        self.table = QtWidgets.QPushButton("Table of objects")
        self.runner = Runner()
        self._lay_out()
        self._connect()
        self._list_models()

    def _lay_out(self) -> None:
        buttons = QtWidgets.QHBoxLayout()
        buttons.addWidget(self.card)
        buttons.addWidget(self.sample)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(self.where)
        layout.addWidget(self.models, 1)
        layout.addWidget(self.about)
        layout.addLayout(buttons)
        layout.addWidget(self.inputs)
        layout.addWidget(self.options)
        layout.addWidget(self.bar)
        layout.addWidget(self.table)
        self.table.hide()

    def _connect(self) -> None:
        self.where.local.connect(lambda: self._use(self.this_computer))
        self.where.opened.connect(self.open_model)
        self.where.asked.connect(self.use_server)
        self.models.picked.connect(self._show_model)
        self.inputs.changed.connect(self._show_ready)
        self.card.clicked.connect(self._show_card)
        self.sample.clicked.connect(self._open_sample)
        self.bar.run.clicked.connect(self.run)
        self.bar.cancel.clicked.connect(self._cancel)
        self.table.clicked.connect(self._show_table)
        self.runner.progressed.connect(self.bar.show_progress)
        self.runner.finished.connect(self._add)
        self.runner.failed.connect(self._fail)
        application = QtWidgets.QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.runner.stop)

    def event(self, event: QtCore.QEvent) -> bool:
        """Stop what runs when napari takes the widget out of its dock, as closing it does."""
        if event.type() == QtCore.QEvent.Type.ParentChange and self.parent() is None:
            self.runner.stop()
            self.inputs.disconnect_viewer()
        return super().event(event)

    # models

    def open_model(self, path: Path) -> None:
        """Add the model of a folder or zip to those of this computer, and pick it."""
        try:
            self.this_computer.open(path)
        except ScopezooError as error:
            self._refuse(error)
            return
        self.models.search.clear()
        self._use(self.this_computer)

    def use_server(self, address: str, token: str) -> None:
        """Show the models of a server instead of those of this computer."""
        from scopezoo.serving.napari.server_source import Server

        self._use(Server(address, token))

    def _use(self, source: Source) -> None:
        self.source = source
        self.bar.say("")
        self.options.show_for(source is self.this_computer)
        self._list_models()

    def _list_models(self) -> None:
        """List the source's models in a thread: a server may be slow."""
        self.models.show_models([])
        self.about.setText("Looking for models …")
        source = self.source
        worker = create_worker(_listing, source, _start_thread=False)
        worker.yielded.connect(lambda found: self._show_found(source, found))
        worker.start()

    def _show_found(self, source: Source, found: Any) -> None:
        if source is not self.source:
            return  # another source was chosen meanwhile
        if isinstance(found, Exception):
            self.about.clear()
            self._refuse(found)
        elif isinstance(found, list):
            self.models.show_models(found)
            if source is not self.this_computer:
                self.where.remember()
        else:
            self.models.show_cover(*found)

    def _show_model(self, model: Model | None) -> None:
        self.about.setText(model.description if model else "No model fits the search.")
        self.card.setEnabled(model is not None)
        self.sample.setEnabled(model is not None)
        self.options.trust.setChecked(False)
        self.inputs.show_model(model)

    def _show_card(self) -> None:
        model = self.models.model()
        if model is not None:
            self._fetch(
                lambda: self.source.card(model),
                lambda text: card_window(self, model.name, text).show(),
            )

    def _open_sample(self) -> None:
        model = self.models.model()
        if model is not None:
            self._fetch(lambda: self.source.sample(model), self._add_layers)

    # runs

    def run(self) -> None:
        """Run the model on the layers; the result comes as layers when it is there."""
        model, layer = self.models.model(), self.inputs.first_layer()
        if model is None or layer is None or self.runner.is_running:
            return
        try:
            job = self._job(model, layer)
        except ScopezooError as error:
            self._refuse(error)
            return
        self.table.hide()
        self.bar.begin(model.name)
        self.runner.start(job)

    def _job(self, model: Model, first: Any) -> Job:
        axes = self.inputs.axes.currentData()
        if axes is None:
            raise UsageError(self.inputs.facts.text())
        images = {
            name: layer_image(
                layer, axes if layer is first else stated_axes(layer) or axes, self.runner.check
            )
            for name, layer in self.inputs.layers().items()
        }
        channel = self.inputs.channel_choice()
        index = next(iter(images.values())).channel_index(channel.split(",")[0]) if channel else 0
        parameters = Parameters(
            channel=channel,
            rescale=self.inputs.rescale.isChecked(),
            memory_bytes=int(self.options.memory.value() * 1e9),
            tile=self.options.tile.value(),
            trust=self.options.trust.isChecked(),
            output=self.options.output_path(),
        )
        return Job(self.source, model, images, Place.of(first, axes), index, parameters)

    def _cancel(self) -> None:
        self.runner.stop()
        self.bar.cancel.setEnabled(False)
        self.bar.say("Stopping after this tile …")

    def _add(self, found: Finished, seconds: float) -> None:
        self._add_layers(found.layers)
        took = f"{seconds:.1f} s" if seconds < 10 else duration(seconds)
        what = "Done" if found.objects is None else f"{found.objects} objects"
        self.table.setVisible(found.objects is not None)
        warnings = [in_widget_words(text) for text in found.warnings]
        self.bar.end(
            "\n".join([f"{what} in {took}", *warnings]), "warning" if warnings else "plain"
        )
        for text in warnings:
            show_warning(text)
        self._show_ready()

    def _fail(self, error: Exception) -> None:
        self.bar.end("")
        if isinstance(error, StoppedError):
            self.bar.say("Stopped; no layer was added.")
        else:
            self._refuse(error)
        self._show_ready()

    def _add_layers(self, layers: list[Any]) -> None:
        active = self.viewer.layers.selection.active
        for pixels, settings, kind in layers:
            getattr(self.viewer, f"add_{kind}")(pixels, **settings)
        if active is not None and active in self.viewer.layers:
            self.viewer.layers.selection.active = self.viewer.layers[-1]

    def _show_table(self) -> None:
        dock, _ = self.viewer.window.add_plugin_dock_widget("napari", "Features table widget")
        window = self.window()
        if isinstance(window, QtWidgets.QMainWindow):
            window.addDockWidget(QtCore.Qt.DockWidgetArea.BottomDockWidgetArea, dock)

    def _show_ready(self) -> None:
        model, layer = self.models.model(), self.inputs.first_layer()
        self.bar.run.setEnabled(
            model is not None and layer is not None and not self.runner.is_running
        )

    # errors

    def _fetch(self, get: Callable[[], Any], show: Callable[[Any], None]) -> None:
        """Get something in a thread, and show it or the error."""
        worker = create_worker(_caught, get, _start_thread=False)
        worker.returned.connect(
            lambda found: show(found[0]) if found[1] is None else self._refuse(found[1])
        )
        worker.start()

    def _refuse(self, error: Exception) -> None:
        """Show an error as a message; one that nobody expected with its traceback too."""
        if isinstance(error, ScopezooError):
            message = in_widget_words(str(error))
            show_error(message)
        else:
            message = f"Unexpected: {type(error).__name__}: {error}"
            notification_manager.receive_error(type(error), error, error.__traceback__)
        self.bar.say(message, "error")


def _caught(get: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return get(), None
    except Exception as error:  # told in the window's thread
        return None, error


def _listing(source: Source) -> Iterator[Any]:
    """The list of a source's models, then each cover as (id, bytes); an exception ends it."""
    try:
        models = list(source.models())
        yield models
        for model in models:
            content = source.cover(model)
            if content is not None:
                yield model.id, content
    except Exception as error:  # told in the window's thread
        yield error
