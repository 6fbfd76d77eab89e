"""Search spaces: `SPACES` by name, and `EARLIER`, the spaces of studies begun before spaces had scales."""

from __future__ import annotations

from spaces.earlier import EARLIER
from spaces.joint import JOINT
from spaces.papers import PAPERS
from spaces.space import Space

SPACES: dict[str, Space] = {JOINT.name: JOINT, **{name: paper.space for name, paper in PAPERS.items()}}

__all__ = ["EARLIER", "SPACES", "Space"]
