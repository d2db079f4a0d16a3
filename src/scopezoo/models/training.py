"""Training a recipe's network, so that it can be stopped and goes on exactly."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from scopezoo.errors import FileError, StoppedError, UsageError
from scopezoo.models.checkpoint import load_tensors, save_tensors
from scopezoo.models.history import Row, training_progress, write_history
from scopezoo.models.interrupt import Interrupt, catch_interrupt
from scopezoo.models.network import kept_network, load_network, make_trainee
from scopezoo.models.recipe import Recipe, read_recipe
from scopezoo.models.task import Task
from scopezoo.models.tasks import make_task

CHECKPOINT = "checkpoint.pt"
WEIGHTS = "weights.pt"


@dataclass
class _State:
    """What a checkpoint holds; random draws depend on seed and step alone, so they need none."""

    network: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    device: str
    step: int = 0
    seconds: float = 0.0
    best_score: float = -math.inf
    looks_without_gain: int = 0
    history: list[Row] = field(default_factory=list)


def train(
    recipe: Path,
    data: Path,
    run: Path,
    *,
    resume: bool = False,
    quiet: bool = False,
    start: Path | None = None,
) -> Path:
    """Train the network of a recipe and return the path of the best weights (a state dict).

    It runs on a GPU where torch finds one. With `start` it begins with these weights, which stay
    the best until a look at the validation part finds better ones.

    `data` is the folder of the dataset: images/ and masks/, or pairs. `run` gets `weights.pt` (the
    best on the validation part), `checkpoint.pt`, `history.csv` and `history.png`. `resume` goes on
    from the checkpoint there to the same weights that an unbroken run gives.

    Raises FileError for missing files, UsageError where `run` holds another training, and
    StoppedError after Ctrl-C, once a checkpoint is written.
    """
    plan = read_recipe(recipe)
    task = make_task(plan, recipe, data)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    state = _start(plan, task, device, None if resume else start)
    if resume:
        _load(state, plan, run / CHECKPOINT)
    elif (run / CHECKPOINT).exists():
        raise UsageError(
            f"{run} holds a training already: go on with --resume or give another --run"
        )
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{run} cannot be made: {error.strerror}") from error
    if start is not None and not resume:
        save_tensors(load_tensors(start), run / WEIGHTS)
    with catch_interrupt() as interrupt:
        _loop(state, plan, task, run, interrupt, quiet=quiet)
    return run / WEIGHTS


def _start(recipe: Recipe, task: Task, device: str, weights: Path | None) -> _State:
    torch.manual_seed(recipe.training.seed)
    network, best = make_trainee(recipe), -math.inf
    if weights is not None:
        start = load_network(recipe, weights)
        best = task.score(start)
        kept_network(network).load_state_dict(start.state_dict())
    network = network.to(device, memory_format=task.layout)  # type: ignore[call-overload]
    average = copy.deepcopy(network).eval()
    plan = recipe.training
    optimiser = torch.optim.AdamW(
        network.parameters(),
        lr=plan.learning_rate,
        betas=(plan.gradient_memory, 0.999),
        weight_decay=plan.weight_decay,
    )
    return _State(network, average, optimiser, device, best_score=best)


def _loop(
    state: _State,
    recipe: Recipe,
    task: Task,
    run: Path,
    interrupt: Interrupt,
    *,
    quiet: bool,
) -> None:
    plan = recipe.training
    recent: list[dict[str, float]] = []
    with training_progress(plan.steps, state.step, quiet=quiet) as progress:
        while state.step < plan.steps and state.looks_without_gain < plan.patience:
            started = time.monotonic()
            images, wanted = _batch(task, plan.seed, state.step)
            recent.append(_update(state, recipe, task, images, wanted))
            state.seconds += time.monotonic() - started
            progress(state.step, recent[-1]["loss"])
            if state.step % plan.validate_every == 0 or state.step == plan.steps:
                _look(state, task, recent, run)
                _save(state, recipe, run)
                recent.clear()
            elif interrupt.requested:
                _save(state, recipe, run)
            if interrupt.requested:
                raise StoppedError(
                    f"stopped at step {state.step} of {plan.steps}; "
                    f"the same command with --resume goes on from {run / CHECKPOINT}"
                )


def _batch(task: Task, seed: int, step: int) -> tuple[Tensor, Tensor]:
    return task.batch(np.random.default_rng([seed, step]))


def _update(
    state: _State, recipe: Recipe, task: Task, images: Tensor, wanted: Tensor
) -> dict[str, float]:
    """One step of the optimiser and of the moving average; returns the loss and its parts."""
    plan = recipe.training
    rate = learning_rate(plan.learning_rate, state.step, plan.warmup_steps, plan.steps)
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    images = images.to(state.device).contiguous(memory_format=task.layout)
    with torch.autocast(state.device, dtype=torch.bfloat16, enabled=plan.precision == "bfloat16"):
        output = task.run(state.network, images)
    loss, parts = task.loss(output, wanted.to(state.device))
    state.optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), max_norm=1.0)
    state.optimiser.step()
    state.step += 1
    # Early on the average follows closely, or it would remember the random start.
    decay = min(plan.average_decay, state.step / (state.step + 10))
    with torch.no_grad():
        for kept, new in zip(
            state.average.state_dict().values(), state.network.state_dict().values(), strict=True
        ):
            kept.lerp_(new, 1 - decay) if kept.is_floating_point() else kept.copy_(new)
    return {"loss": float(loss.detach()), "learning_rate": rate, **parts}


def learning_rate(highest: float, step: int, warmup_steps: int, steps: int) -> float:
    """Linear rise over the first steps, then half a cosine down to 0."""
    rise = min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0
    return highest * rise * 0.5 * (1 + math.cos(math.pi * step / steps))


def _look(state: _State, task: Task, recent: list[dict[str, float]], run: Path) -> None:
    """Score the averaged weights on the validation part and keep them if they are the best."""
    average = copy.deepcopy(state.average).cpu()
    score = task.score(average)
    means = {key: float(np.mean([row[key] for row in recent])) for key in recent[0]}
    row = {"step": float(state.step), "seconds": state.seconds, **means, "score": score}
    state.history.append(row)
    state.looks_without_gain += 1
    if score > state.best_score:
        state.best_score, state.looks_without_gain = score, 0
        kept = kept_network(average).state_dict()
        weights = {k: v.contiguous() for k, v in kept.items()}
        save_tensors(weights, run / WEIGHTS)
    write_history(state.history, run, task.score_name)


def _save(state: _State, recipe: Recipe, run: Path) -> None:
    tensors = {
        name: getattr(state, name).state_dict() for name in ("network", "average", "optimiser")
    }
    names = ("device", "step", "seconds", "best_score", "looks_without_gain", "history")
    plain = {name: getattr(state, name) for name in names}
    save_tensors({**tensors, **plain, "recipe": _fingerprint(recipe)}, run / CHECKPOINT)


def _load(state: _State, recipe: Recipe, path: Path) -> None:
    saved = load_tensors(path)
    if saved.pop("recipe") != _fingerprint(recipe):
        raise UsageError(
            f"{path} is of another recipe (data, network or training differ): "
            "resume with the recipe that began it, or give another --run"
        )
    saved.pop("device", None)  # that of now counts
    for name, value in saved.items():
        part = getattr(state, name)
        if hasattr(part, "load_state_dict"):
            part.load_state_dict(value)
        else:
            setattr(state, name, value)


def _fingerprint(recipe: Recipe) -> str:
    """What must be the same for a training to go on."""
    return recipe.model_dump_json(include={"data", "network", "normalisation", "training"})
