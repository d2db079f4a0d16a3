"""Jobs for what is too large to wait for: resumable uploads, a queue on disk, a lane that runs it.

from scopezoo.serving.jobs import Jobs
"""

from __future__ import annotations

from scopezoo.serving.jobs.service import Jobs

__all__ = ["Jobs"]
