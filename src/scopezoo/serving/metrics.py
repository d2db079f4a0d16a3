"""What Prometheus reads at /metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from scopezoo.predict.machine import resident_bytes

__all__ = ["CONTENT_TYPE_LATEST", "Metrics"]

LATENCY_S = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0)


class Metrics:
    """Counters of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "scopezoo_requests",
            "Requests answered",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self.latency = Histogram(
            "scopezoo_request_seconds",
            "Time from a request's start to the end of its answer",
            ["route", "method"],
            buckets=LATENCY_S,
            registry=self.registry,
        )
        self.predictions = Counter(
            "scopezoo_predictions", "Predictions", ["model", "outcome"], registry=self.registry
        )
        self.run_seconds = Histogram(
            "scopezoo_prediction_seconds",
            "Time of a prediction without its wait",
            ["model"],
            buckets=LATENCY_S,
            registry=self.registry,
        )
        self.pixels = Counter(
            "scopezoo_pixels", "Pixels or voxels predicted", ["model"], registry=self.registry
        )
        self.queue = Gauge("scopezoo_queue", "Requests that wait or run", registry=self.registry)
        self.jobs = Gauge("scopezoo_jobs", "Jobs by state", ["state"], registry=self.registry)
        self.models = Gauge(
            "scopezoo_model_loaded", "Loaded engines", ["model"], registry=self.registry
        )
        memory = Gauge(
            "scopezoo_resident_memory_bytes", "Main memory in use", registry=self.registry
        )
        memory.set_function(lambda: resident_bytes() or 0)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)
