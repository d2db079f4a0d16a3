"""What all requests of one server share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from scopezoo.serving.datasets import Datasets
from scopezoo.serving.metrics import Metrics
from scopezoo.serving.pool import EnginePool
from scopezoo.serving.runner import Runner
from scopezoo.serving.settings import Settings

if TYPE_CHECKING:
    from scopezoo.serving.jobs import Jobs


@dataclass
class Server:
    """The parts of a running server."""

    settings: Settings
    metrics: Metrics = field(default_factory=Metrics)
    datasets: Datasets = field(init=False)
    pool: EnginePool = field(init=False)
    runner: Runner = field(init=False)
    jobs: Jobs = field(init=False)

    def __post_init__(self) -> None:
        self.datasets = Datasets(self.settings.datasets)
        self.pool = EnginePool(self.settings)
        self.runner = Runner(
            self.settings.workers, self.settings.queue, self.settings.time_limit_s, self.metrics
        )


def server(request: Request) -> Server:
    """The server that a request came to."""
    found: Server = request.app.state.server
    return found


async def _server(request: Request) -> Server:  # what is not async runs in a thread
    return server(request)


State = Annotated[Server, Depends(_server)]
