"""The list of models: covers, names, and a search."""

from __future__ import annotations

from qtpy import QtCore, QtGui, QtWidgets

from scopezoo.serving.napari.model import Model

COVER_PX = 56
MARGIN_PX = 5
MODEL = QtCore.Qt.ItemDataRole.UserRole
COVER = QtCore.Qt.ItemDataRole.DecorationRole


class ModelList(QtWidgets.QWidget):
    """Models to pick one from; `picked` tells the model, or None."""

    picked = QtCore.Signal(object)  # type: ignore[attr-defined] # qtpy names it for all bindings

    def __init__(self) -> None:
        super().__init__()
        self.search = QtWidgets.QLineEdit()
        self.search.setPlaceholderText("Search models, e.g. nuclei 2d")
        self.search.setClearButtonEnabled(True)
        self.items = QtWidgets.QListWidget()
        self.items.setItemDelegate(_ModelDelegate(self.items))
        self.items.setUniformItemSizes(True)
        self.items.setMinimumHeight(2 * (COVER_PX + 2 * MARGIN_PX) + 4)
        self.items.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.search)
        layout.addWidget(self.items)
        self.search.textChanged.connect(self._filter)
        self.items.currentItemChanged.connect(lambda: self.picked.emit(self.model()))

    def model(self) -> Model | None:
        """The model that is picked and shown, if any."""
        item = self.items.currentItem()
        return None if item is None or item.isHidden() else item.data(MODEL)

    def show_models(self, models: list[Model]) -> None:
        """Show these models instead of those before, the one that was picked picked again."""
        before = self.model()
        self.items.clear()
        for model in models:
            item = QtWidgets.QListWidgetItem(model.name)
            item.setData(MODEL, model)
            item.setToolTip(f"{model.id}\n{model.description}")
            self.items.addItem(item)
        same = [i for i, model in enumerate(models) if before and model.id == before.id]
        if models:
            self.pick(same[0] if same else 0)
        self._filter(self.search.text())

    def pick(self, row: int) -> None:
        """Pick the model of a row."""
        self.items.setCurrentRow(row)

    def show_cover(self, model_id: str, content: bytes) -> None:
        """Show an image file as the cover of a model; what Qt does not read is left out."""
        picture = QtGui.QPixmap()
        if not picture.loadFromData(content):
            return
        for item in self._rows():
            if item.data(MODEL).id == model_id:
                item.setData(COVER, _square(picture))

    def _filter(self, search: str) -> None:
        """Show what answers the search; the first of it is picked where the pick does not."""
        rows = self._rows()
        for item in rows:
            item.setHidden(not item.data(MODEL).answers(search))
        shown = [item for item in rows if not item.isHidden()]
        if shown and self.model() is None:
            self.items.setCurrentItem(shown[0])  # which tells it
        else:
            self.picked.emit(self.model())

    def _rows(self) -> list[QtWidgets.QListWidgetItem]:
        found = (self.items.item(row) for row in range(self.items.count()))
        return [item for item in found if item is not None]


def _square(picture: QtGui.QPixmap) -> QtGui.QPixmap:
    """The middle of a picture, as large as the list shows it on a screen of high resolution."""
    side = min(picture.width(), picture.height())
    left, top = (picture.width() - side) // 2, (picture.height() - side) // 2
    smooth = QtCore.Qt.TransformationMode.SmoothTransformation
    keep = QtCore.Qt.AspectRatioMode.KeepAspectRatio
    return picture.copy(left, top, side, side).scaled(2 * COVER_PX, 2 * COVER_PX, keep, smooth)


_Index = QtCore.QModelIndex | QtCore.QPersistentModelIndex


class _ModelDelegate(QtWidgets.QStyledItemDelegate):
    """Paints a model: its cover, its name in up to two lines, and what it takes and gives."""

    def sizeHint(  # noqa: N802 # Qt's name
        self, option: QtWidgets.QStyleOptionViewItem, index: _Index
    ) -> QtCore.QSize:
        del option, index
        return QtCore.QSize(120, COVER_PX + 2 * MARGIN_PX)

    def paint(
        self,
        painter: QtGui.QPainter,
        option: QtWidgets.QStyleOptionViewItem,
        index: _Index,
    ) -> None:
        model: Model = index.data(MODEL)
        box = option.rect.adjusted(MARGIN_PX, MARGIN_PX, -MARGIN_PX, -MARGIN_PX)
        palette = option.palette
        painter.save()
        if option.state & QtWidgets.QStyle.StateFlag.State_Selected:
            painter.fillRect(option.rect, palette.highlight())
        cover = QtCore.QRect(box.topLeft(), QtCore.QSize(COVER_PX, COVER_PX))
        self._paint_cover(painter, cover, index.data(COVER), model, palette)
        text = box.adjusted(COVER_PX + 2 * MARGIN_PX, 0, 0, 0)
        self._paint_text(painter, text, model, option.font, palette)
        painter.restore()

    @staticmethod
    def _paint_cover(
        painter: QtGui.QPainter,
        box: QtCore.QRect,
        picture: QtGui.QPixmap | None,
        model: Model,
        palette: QtGui.QPalette,
    ) -> None:
        if picture is not None:
            painter.drawPixmap(box, picture)
            return
        ink = palette.color(QtGui.QPalette.ColorRole.Text)
        painter.setPen(ink)
        ink.setAlphaF(0.15)
        painter.fillRect(box, ink)
        painter.drawText(box, QtCore.Qt.AlignmentFlag.AlignCenter, model.name[:2])

    @staticmethod
    def _paint_text(
        painter: QtGui.QPainter,
        box: QtCore.QRect,
        model: Model,
        font: QtGui.QFont,
        palette: QtGui.QPalette,
    ) -> None:
        painter.setPen(palette.color(QtGui.QPalette.ColorRole.Text))
        bold = QtGui.QFont(font)
        bold.setBold(True)
        painter.setFont(bold)
        line = QtGui.QFontMetrics(bold).height()
        name = QtGui.QFontMetrics(bold).elidedText(
            model.name, QtCore.Qt.TextElideMode.ElideRight, 2 * box.width() - line
        )
        flags = QtCore.Qt.TextFlag.TextWordWrap | QtCore.Qt.AlignmentFlag.AlignTop
        painter.drawText(box.adjusted(0, 0, 0, 2 * line - box.height()), int(flags), name)
        painter.setFont(font)
        painter.setOpacity(0.65)
        painter.drawText(box, QtCore.Qt.AlignmentFlag.AlignBottom, said_of(model))


def said_of(model: Model) -> str:
    """What a model takes and gives, in a few words."""
    kinds = " and ".join(sorted(set(model.outputs.values())))
    return f"{'3D' if model.axes == 'ZYX' else '2D'}, gives {kinds}"
