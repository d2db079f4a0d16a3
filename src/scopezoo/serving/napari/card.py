"""The card of a model in a window of its own."""

from __future__ import annotations

import re

from qtpy import QtCore, QtGui, QtWidgets


def card_window(parent: QtWidgets.QWidget, title: str, markdown: str) -> QtWidgets.QDialog:
    """A window with a card: text and links to the web; pictures are left out."""
    window = QtWidgets.QDialog(parent)
    window.setWindowTitle(title)
    window.resize(640, 700)
    text = QtWidgets.QTextBrowser()
    text.setOpenLinks(False)
    text.anchorClicked.connect(_open_web_page)
    body = re.sub(r"\A---\n.*?\n---\n", "", markdown, flags=re.DOTALL)
    without_pictures = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", body)
    text.document().setMarkdown(without_pictures, _FEATURES)
    layout = QtWidgets.QVBoxLayout(window)
    layout.addWidget(text)
    return window


_FEATURES = (
    QtGui.QTextDocument.MarkdownFeature.MarkdownDialectGitHub
    | QtGui.QTextDocument.MarkdownFeature.MarkdownNoHTML
)


def _open_web_page(address: QtCore.QUrl) -> None:
    if address.scheme() in ("http", "https"):
        QtGui.QDesktopServices.openUrl(address)
