"""The report as a block for a model's card."""

from __future__ import annotations

from scopezoo.packaging.markdown import table
from scopezoo.validation.markdown import cell
from scopezoo.validation.quality.measuring import Quality
from scopezoo.validation.quality.words import caveats, headline, subject, tables


def to_markdown(quality: Quality) -> str:
    """Sentences, then tables, in Markdown of one level below a card's headings."""
    parts = [
        f"## Quality on {cell(subject(quality))}",
        " ".join(headline(quality)),
        *(f"- {cell(one)}" for one in caveats(quality)),
    ]
    lines = ["\n\n".join(parts[:2]), "\n".join(parts[2:])]
    for one in tables(quality):
        rows = [[cell(value) for value in row] for row in one.rows]
        note = f"\n\n{one.note}" if one.note else ""
        lines.append(f"**{one.title}**\n\n{table(one.header, rows)}{note}")
    model = f"{quality.model['id']} {quality.model['version'] or ''}".strip()
    lines.append(f"Measured by `{quality.command}` (model {cell(model)}).")
    return "\n\n".join(lines) + "\n"
