"""Search spaces: `SPACES` by name, and `EARLIER`, the spaces of studies begun before spaces had scales."""

from __future__ import annotations

from spaces.earlier import EARLIER
from spaces.joint import JOINT
from spaces.joint_published import JOINT_PUBLISHED
from spaces.papers import PAPERS
from spaces.space import PUBLISHED, SMALL, Space, with_scales

SPACES: dict[str, Space] = {
    "joint": with_scales({PUBLISHED: JOINT_PUBLISHED, SMALL: JOINT}),
    **{name: paper.space for name, paper in PAPERS.items()},
}

__all__ = ["EARLIER", "SPACES", "Space"]
