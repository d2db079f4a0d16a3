"""The calls of the local engine, answered by a server.

from scopezoo.client import connect
"""

from __future__ import annotations

from scopezoo.client.client import Client, connect
from scopezoo.client.model import Model

__all__ = ["Client", "Model", "connect"]
