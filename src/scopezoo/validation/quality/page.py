"""The report as one HTML file: sums on top, then every case, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from scopezoo.packaging.quality import RESTORATION
from scopezoo.validation.quality.chart import lines_chart, scatter_chart
from scopezoo.validation.quality.measuring import Quality
from scopezoo.validation.quality.pictures import Picture
from scopezoo.validation.quality.rows import Row
from scopezoo.validation.quality.words import (
    METHOD_NAMES,
    NONE,
    Table,
    caveats,
    headline,
    number,
    percent,
    subject,
    tables,
    unit,
)

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:82rem;padding:0 1.2rem;
 color:#1d2129;background:#fff}
h1{font-size:1.5rem;margin:0} h2{font-size:1.2rem;margin:2.2rem 0 .6rem}
h3{font-size:1rem;margin:0}
.sub{color:#555;margin:.2rem 0 1.2rem} .note{color:#555;font-size:.86rem;max-width:60rem}
.lead{font-size:1.08rem;max-width:60rem;margin:.4rem 0} ul{max-width:60rem;color:#444}
.cards{display:flex;gap:.8rem;flex-wrap:wrap;margin:1.2rem 0}
.card{border:1px solid #dde1e6;border-radius:8px;padding:.6rem 1rem;min-width:8.5rem}
.card b{display:block;font-size:1.45rem;font-weight:650}
.card span{color:#555;font-size:.85rem}
.beside{display:flex;gap:2rem;flex-wrap:wrap;align-items:flex-start}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.92rem}
th,td{text-align:right;padding:.28rem .8rem;border-bottom:1px solid #e3e5e8;white-space:nowrap}
th{font-weight:600;color:#444} th:first-child,td:first-child{text-align:left;padding-left:0}
.case{border-top:1px solid #d0d4d9;padding:1rem 0}
.meta{color:#555;margin:.15rem 0 .6rem;font-size:.92rem}
.row{display:flex;gap:.7rem;flex-wrap:wrap} figure{margin:0;width:240px}
figcaption{font-size:.8rem;color:#555;margin-top:.25rem;line-height:1.3}
img{display:block;width:240px;background:#000;image-rendering:auto;border-radius:3px}
.badge{background:#fff1d6;color:#7a4b00;border-radius:4px;padding:.05rem .45rem;font-size:.82rem;
 font-weight:600;margin-left:.5rem}
.warning{color:#7a4b00;font-size:.88rem;margin:.1rem 0 .5rem}
code{background:#f2f4f6;padding:.1rem .35rem;border-radius:4px;font-size:.88em}
.legend i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin:0 .3em 0 .9em}
"""
OUTLINES = (
    '<p class="note legend">Outlines:<i style="background:#5ac8fa"></i>found and annotated'
    '<i style="background:#ffa01e"></i>annotated but missed'
    '<i style="background:#ff3cc8"></i>found but not annotated (IoU 0.5). Of large images a part '
    "around the mistakes is shown.</p>"
)
ERRORS = (
    '<p class="note legend">Error and consistency:<i style="background:#ff961e"></i>light too much '
    '<i style="background:#4696ff"></i>light too little, black is right. Of stacks the plane with '
    "the largest error is shown, of large fields a part around it.</p>"
)


def to_html(quality: Quality) -> Iterator[str]:
    """The page, piece by piece."""
    model = escape(f"{quality.model['id']} {quality.model['version'] or ''}".strip())
    yield (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{model}: quality on {escape(quality.dataset)}</title><style>{STYLE}</style>"
        f"</head><body>\n<h1>{model}</h1>\n"
        f'<p class="sub">Quality on {escape(subject(quality))}: '
        f"{quality.summary['images']} images</p>\n"
    )
    yield _cards(quality)
    yield "".join(f'<p class="lead">{escape(one)}</p>\n' for one in headline(quality))
    yield f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in caveats(quality))}</ul>\n"
    yield f'<div class="beside">{_chart(quality)}</div>\n'
    yield "".join(_table(one) for one in tables(quality))
    yield "<h2>Every image, the worst first</h2>\n"
    yield OUTLINES if quality.kind == "segmentation" else ERRORS
    pictured = [row for row in quality.rows if row.pictures]
    for row in pictured:
        yield _case(row, quality)
    if len(pictured) < len(quality.rows):
        yield f"<p>Pictures of the {len(pictured)} worst are shown.</p>\n"
    yield _all_cases(quality)
    yield _left_out(quality)
    yield (
        f'<p class="note">Measured by <code>{escape(quality.command)}</code> with '
        f"{escape(', '.join(f'{k} {v}' for k, v in quality.versions.items()))}; "
        f"weights {escape(str(quality.model['weights_sha256'])[:12])}….</p></body></html>\n"
    )


def _cards(quality: Quality) -> str:
    summary = quality.summary
    if quality.kind == "segmentation":
        first, middle = summary["by_iou"][0], summary["by_iou"][2]
        found = [
            (number(first["average_precision"], 3), "AP at IoU 0.5"),
            (number(middle["average_precision"], 3), "AP at IoU 0.7"),
            (percent(first["precision"], 1), "precision"),
            (percent(first["recall"], 1), "recall"),
            (number(first["panoptic_quality"], 3), "panoptic quality"),
            (f"{summary['found_objects']} / {summary['true_objects']}", "found / annotated"),
        ]
    else:
        own, raw = (summary["means"][method] for method in METHOD_NAMES)
        found = [
            (
                number(own[key], decimals),
                f"{unit_name(key, quality)} (raw input {number(raw[key], decimals)})",
            )
            for key, (_, _, decimals) in RESTORATION.items()
        ]
    cards = "".join(
        f'<div class="card"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
        for value, name in found
    )
    return f'<div class="cards">{cards}</div>\n'


def unit_name(key: str, quality: Quality) -> str:
    """Short name of a figure of restoration."""
    return f"detail ({unit(quality)})" if key == "agreement_um" else RESTORATION[key][0]


def _chart(quality: Quality) -> str:
    if quality.kind == "segmentation":
        by_iou = quality.summary["by_iou"]
        curves = {
            name: [one[key] for one in by_iou]
            for name, key in (
                ("AP", "average_precision"),
                ("precision", "precision"),
                ("recall", "recall"),
                ("panoptic quality", "panoptic_quality"),
            )
        }
        counts = [
            (row.figures["true_objects"], row.figures["found_objects"], escape(row.id))
            for row in quality.rows
        ]
        return lines_chart(
            [one["iou"] for one in by_iou], curves, "overlap (IoU) at least", "score"
        ) + scatter_chart(counts, "annotated objects in an image", "found", "equal")
    points = [
        (row.figures["input"]["psnr_db"], row.figures["prediction"]["psnr_db"], escape(row.id))
        for row in quality.rows
    ]
    return scatter_chart(points, "PSNR of the raw input (dB)", "of the model (dB)", "no gain")


def _table(table: Table) -> str:
    return f"<h2>{escape(table.title)}</h2>\n{_rows(table.header, table.rows)}" + (
        f'<p class="note">{escape(table.note)}</p>\n' if table.note else ""
    )


def _rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(one)}</th>" for one in header)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(value)}</td>' for value in row)}</tr>" for row in rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>\n'


def _case(row: Row, quality: Quality) -> str:
    likeness = row.figures["likeness"]
    is_unlike = bool(likeness and likeness["is_unlike"])
    badge = '<span class="badge">unlike training</span>' if is_unlike else ""
    warnings = "".join(f'<p class="warning">{escape(one)}</p>' for one in row.figures["warnings"])
    figures = "".join(_figure(one) for one in row.pictures)
    return (
        f'<div class="case"><h3>{escape(row.id)}{badge}</h3>'
        f'<p class="meta">{escape(_meta(row.figures, quality))}</p>{warnings}'
        f'<div class="row">{figures}</div></div>\n'
    )


def _meta(figures: dict[str, Any], quality: Quality) -> str:
    if quality.kind == "segmentation":
        first, middle = figures["by_iou"][0], figures["by_iou"][2]
        return " · ".join(
            [
                f"AP {number(first['average_precision'], 2)} at IoU 0.5, "
                f"{number(middle['average_precision'], 2)} at 0.7",
                f"found {figures['found_objects']} of {figures['true_objects']} annotated: "
                f"{first['tp']} right, {first['fn']} missed, {first['fp']} not annotated",
                f"diameter {number(figures['found_diameter_px'], 1)} px "
                f"(annotated {number(figures['true_diameter_px'], 1)})",
            ]
        )
    own, raw = (figures[method] for method in METHOD_NAMES)
    scores = [
        f"{unit_name(key, quality)} {number(own[key], decimals)} (raw {number(raw[key], decimals)})"
        for key, (_, _, decimals) in RESTORATION.items()
    ]
    structures = figures["structures"]["prediction"]
    place = ", ".join(f"{axis} {at}" for axis, at in figures["worst_place"].items())
    told = [
        f"structures found {percent(structures['found'])}, invented "
        f"{percent(structures['invented'])}",
        f"light too much in {percent(figures['consistency']['invented'], 2)} "
        f"(target {percent(figures['consistency']['target_invented'], 2)})",
        f"largest error at {place}",
    ]
    return " · ".join([*scores, *told])


def _figure(picture: Picture) -> str:
    caption = escape(picture.caption)
    address = f"data:image/jpeg;base64,{picture.jpeg_base64()}"
    return (
        f'<figure><img loading="lazy" src="{address}" alt="{caption}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _all_cases(quality: Quality) -> str:
    if quality.kind == "segmentation":
        header = ["image", "AP 0.5", "AP 0.7", "AP 0.9", "precision", "recall", "PQ"]
        header += ["annotated", "found", "unlike (limit 1)"]
        rows = [_segmentation_cells(row) for row in quality.rows]
    else:
        header = ["field", *(f"{unit_name(key, quality)}, model / raw" for key in RESTORATION)]
        header += ["unlike (limit 1)"]
        rows = [_restoration_cells(row) for row in quality.rows]
    return (
        f"<details><summary>All {len(rows)} images in a table</summary>"
        f"{_rows(header, rows)}</details>\n"
    )


def _segmentation_cells(row: Row) -> list[str]:
    by_iou = row.figures["by_iou"]
    first = by_iou[0]
    return [
        row.id,
        *(number(by_iou[i]["average_precision"], 3) for i in (0, 2, 4)),
        *(number(first[key], 3) for key in ("precision", "recall", "panoptic_quality")),
        str(row.figures["true_objects"]),
        str(row.figures["found_objects"]),
        _distance(row),
    ]


def _restoration_cells(row: Row) -> list[str]:
    return [
        row.id,
        *(
            " / ".join(number(row.figures[method][key], decimals) for method in METHOD_NAMES)
            for key, (_, _, decimals) in RESTORATION.items()
        ),
        _distance(row),
    ]


def _distance(row: Row) -> str:
    """Over the limit; above 1 it is unlike."""
    likeness = row.figures["likeness"]
    return NONE if likeness is None else f"{likeness['distance']:.2f}"


def _left_out(quality: Quality) -> str:
    if not quality.left_out:
        return ""
    return "<h2>Left out</h2>\n" + _rows(
        ("image", "why"), [(one.id, one.reason) for one in quality.left_out]
    )
