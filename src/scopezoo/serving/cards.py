"""What a package says of itself, made safe for a page: its card and its cover."""

from __future__ import annotations

from xml.etree import ElementTree

from scopezoo.errors import PackageError
from scopezoo.store.fields import file_reference
from scopezoo.store.package import Package

MAX_CARD_BYTES = 1_000_000
MAX_COVER_BYTES = 20_000_000
_SVG = "{http://www.w3.org/2000/svg}"
_SVG_SHAPES = frozenset({"path", "rect", "circle", "ellipse", "line", "polyline", "polygon"})
_SVG_PAINT = frozenset({"linearGradient", "radialGradient", "stop", "clipPath", "mask"})
_SVG_REST = frozenset({"svg", "g", "defs", "title", "desc", "text", "tspan"})
_SVG_ELEMENTS = _SVG_SHAPES | _SVG_PAINT | _SVG_REST
_COVERS = {b"\x89PNG\r\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


def card_source(package: Package) -> str:
    """The card's Markdown, "" where there is none. Raises PackageError where it is damaged."""
    reference = file_reference(package.description.rdf.get("documentation"))
    if reference is None:
        return ""
    return package.read(reference)[:MAX_CARD_BYTES].decode("utf-8", "replace")


def card_html(package: Package) -> str:
    """The card as HTML, see `safe_html`."""
    return safe_html(card_source(package))


def safe_html(markdown: str) -> str:
    """Markdown as HTML without scripts, styles, forms, frames and pictures."""
    import nh3
    from markdown_it import MarkdownIt

    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    tags = nh3.ALLOWED_TAGS - {"img", "map", "area"}
    return nh3.clean(html, tags=tags, url_schemes={"http", "https", "mailto"})


def cover(package: Package) -> tuple[bytes, str] | None:
    """The first cover that can be shown, and its media type; None without one."""
    for entry in package.description.rdf.get("covers") or []:
        reference = file_reference(entry)
        if reference is None:
            continue
        try:
            if package.files.size(reference.source) > MAX_COVER_BYTES:
                continue
            shown = _shown(package.read(reference))
        except PackageError:  # one that is a URL, missing or damaged
            continue
        if shown is not None:
            return shown
    return None


def _shown(content: bytes) -> tuple[bytes, str] | None:
    for start, media_type in _COVERS.items():
        if content.startswith(start):
            return content, media_type
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return content, "image/webp"
    safe = safe_svg(content)
    return None if safe is None else (safe, "image/svg+xml")


def safe_svg(content: bytes) -> bytes | None:
    """An SVG with nothing left but shapes and text; None for what is no SVG.

    Document types are refused: they can define entities that grow without bound.
    """
    if b"<!DOCTYPE" in content.upper() or b"<!ENTITY" in content.upper() or b"\0" in content:
        return None
    try:
        root = ElementTree.fromstring(content)
        if root.tag != f"{_SVG}svg":
            return None
        _strip(root)
        ElementTree.register_namespace("", _SVG[1:-1])
        return ElementTree.tostring(root)
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError):
        return None


def _strip(element: ElementTree.Element) -> None:
    for name, value in list(element.attrib.items()):
        is_active = name.lower().startswith("on") or name.startswith("{") or name == "style"
        refers = "url(" in value.lower() and "url(#" not in value.lower().replace(" ", "")
        if is_active or name.lower() in ("href", "src") or refers:
            del element.attrib[name]
    for child in list(element):
        if not isinstance(child.tag, str) or child.tag.removeprefix(_SVG) not in _SVG_ELEMENTS:
            element.remove(child)
        else:
            _strip(child)
