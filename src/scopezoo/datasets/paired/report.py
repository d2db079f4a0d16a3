"""A check as one HTML file: what was found, and a picture of every pair."""

from __future__ import annotations

from collections import defaultdict
from html import escape
from pathlib import Path

from scopezoo.datasets.paired.checking import DatasetReport
from scopezoo.datasets.paired.finding import Finding
from scopezoo.datasets.paired.manifest import SIDES, Pair
from scopezoo.datasets.paired.pictures import Picture, pair_pictures
from scopezoo.datasets.paired.store import Dataset
from scopezoo.errors import FileError, ScopezooError

STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;
 color:#1d2129;background:#fff}
h1{font-size:1.5rem;margin-bottom:.2rem} h2{font-size:1.15rem;margin-top:2rem}
.sum{color:#555} .passed{color:#146c2e} .failed{color:#b3261e}
table{border-collapse:collapse;width:100%} th,td{text-align:left;padding:.25rem .7rem .25rem 0;
 border-bottom:1px solid #e3e5e8;vertical-align:top}
.error td:first-child{color:#b3261e;font-weight:600}
.warning td:first-child{color:#8a5a00;font-weight:600}
.pair{border-top:1px solid #d0d4d9;padding:1rem 0} .pair h3{margin:0;font-size:1rem}
.meta{color:#555;margin:.1rem 0 .6rem} .row{display:flex;gap:.8rem;flex-wrap:wrap}
figure{margin:0} figcaption{font-size:.85rem;color:#555;margin-top:.2rem}
img{display:block;width:256px;background:#000;image-rendering:auto}
.magenta{color:#b000b0} .green{color:#0a7a0a}
"""


def write_report(dataset: Dataset, report: DatasetReport, path: Path) -> None:
    """Write the report, pictures and all, as one file; raises FileError where it cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as stream:
            stream.write(_head(dataset, report))
            stream.write(_findings(report.findings))
            stream.write("<h2>Pairs</h2>\n")
            by_pair: dict[str | None, list[Finding]] = defaultdict(list)
            for finding in report.findings:
                by_pair[finding.about].append(finding)
            # what needs a look comes first
            for pair in sorted(dataset.pairs, key=lambda one: _rank(by_pair[one.id])):
                stream.write(_pair(dataset, pair, by_pair[pair.id]))
            stream.write("</body></html>\n")
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror or error}") from error


def _head(dataset: Dataset, report: DatasetReport) -> str:
    manifest = dataset.manifest
    verdict = "passed" if report.passed else "failed"
    counts = [f"{report.pairs} pairs", f"{len(manifest.specimens)} specimens"]
    registered = sum(pair.status == "registered" for pair in manifest.pairs)
    counts.append(f"{registered} registered")
    if manifest.split:
        counts += [f"{part}: {len(ids)} specimens" for part, ids in manifest.split.parts.items()]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(manifest.name)}: check</title><style>{STYLE}</style></head><body>\n"
        f"<h1>{escape(manifest.name)}</h1>\n"
        f'<p class="sum">The check <b class="{verdict}">{verdict}</b>. {", ".join(counts)}. '
        f"{escape(manifest.license or 'No licence')}.</p>\n"
    )


def _findings(findings: list[Finding]) -> str:
    if not findings:
        return "<p>Nothing was found wrong.</p>\n"
    ordered = sorted(findings, key=lambda one: one.level)
    rows = [
        f'<tr class="{one.level}"><td>{one.level}</td><td>{escape(one.check)}</td>'
        f"<td>{escape(one.about or '')}</td><td>{escape(one.message)}</td></tr>"
        for one in ordered
    ]
    head = "<tr><th>level</th><th>check</th><th>about</th><th>what was found</th></tr>"
    return f"<h2>Findings</h2>\n<table>{head}{''.join(rows)}</table>\n"


def _rank(findings: list[Finding]) -> int:
    return min((("error", "warning").index(one.level) for one in findings), default=2)


def _pair(dataset: Dataset, pair: Pair, findings: list[Finding]) -> str:
    split = dataset.manifest.split
    part = split.part_of(pair.specimen) if split else None
    facts = [f"specimen {pair.specimen}", part or "in no part", pair.status]
    for side in SIDES:
        entry = pair.image(side)
        size = "×".join(str(n) for n in entry.shape)
        voxel = entry.voxel_um
        um = "×".join(f"{n:g}" for n in (voxel.z, voxel.y, voxel.x) if n is not None)
        facts.append(f"{side} {entry.axes} {size} {entry.dtype}, {um} µm")
    if pair.quality is not None:
        residual = (pair.quality.model_extra or {}).get("residual_median_um")
        facts += [f"residual {residual:.3g} µm"] if isinstance(residual, float) else []
    try:
        pictures = "".join(_figure(picture) for picture in pair_pictures(dataset, pair))
    except ScopezooError as error:
        pictures = f"<p>No picture: {escape(str(error))}</p>"
    return (
        f'<div class="pair"><h3>{escape(pair.id)}</h3><p class="meta">{escape(" · ".join(facts))}'
        f'</p>{_findings_of(findings)}<div class="row">{pictures}</div></div>\n'
    )


def _findings_of(findings: list[Finding]) -> str:
    return "".join(
        f'<p class="{"failed" if one.level == "error" else "meta"}">{escape(one.line())}</p>'
        for one in findings
    )


def _figure(picture: Picture) -> str:
    address = f"data:image/jpeg;base64,{picture.jpeg_base64()}"
    caption = escape(picture.caption)
    return (
        f'<figure><img src="{address}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'
    )
