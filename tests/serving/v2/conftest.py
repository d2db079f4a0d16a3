"""The real Triton client of the tests' server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tritonclient.http import InferenceServerClient


@pytest.fixture
def triton(address: str) -> Iterator[InferenceServerClient]:
    """Triton's own client."""
    with InferenceServerClient(address.removeprefix("http://")) as client:
        yield client
