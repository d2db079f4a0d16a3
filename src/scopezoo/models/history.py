"""What a training shows: its progress while it runs, its curve afterwards."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scopezoo.errors import FileError

Row = dict[str, float]
NOT_LOSSES = {"step", "seconds", "learning_rate", "score"}


@contextmanager
def training_progress(
    steps: int, done: int, *, quiet: bool
) -> Iterator[Callable[[int, float], None]]:
    """Yields a function of (step, loss) that shows a bar with the time left on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeLeft())
    loss_column = TextColumn("loss {task.fields[loss]:.4f}")
    console = Console(stderr=True)
    with Progress(
        *columns, loss_column, console=console, disable=quiet or not console.is_terminal
    ) as bar:
        task = bar.add_task("training", total=steps, completed=done, loss=float("nan"))
        yield lambda step, loss: bar.update(task, completed=step, loss=loss)


def write_history(rows: list[Row], run: Path, score_name: str) -> None:
    """`history.csv`, one row for each look at the validation part, and its curve as a PNG."""
    with (run / "history.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]))
        table.writeheader()
        table.writerows({key: f"{value:.6g}" for key, value in row.items()} for row in rows)
    _plot(rows, run / "history.png", score_name)


def read_history(run: Path) -> list[Row]:
    """The rows of `history.csv` in a run folder. Raises FileError where there is none."""
    try:
        with (run / "history.csv").open(newline="", encoding="utf-8") as file:
            return [
                {key: float(value) for key, value in row.items()} for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, TypeError) as error:
        raise FileError(f"{run} has no history.csv of a training: {error}") from error


def _plot(rows: list[Row], path: Path, score_name: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    loss_axes, score_axes = figure.subplots(1, 2)
    steps = [row["step"] for row in rows]
    names = sorted(rows[0].keys() - NOT_LOSSES)
    for name in names:
        loss_axes.plot(steps, [row[name] for row in rows], label=name)
    # A loss that is a logarithm itself falls below 0.
    scale = "log" if all(row[name] > 0 for row in rows for name in names) else "linear"
    loss_axes.set(xlabel="step", ylabel="loss (training part)", yscale=scale)
    loss_axes.legend()
    score_axes.plot(steps, [row["score"] for row in rows], marker=".")
    score_axes.set(xlabel="step", ylabel=f"{score_name} (validation part)")
    figure.savefig(path, dpi=110)
