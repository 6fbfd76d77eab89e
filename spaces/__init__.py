"""Search spaces: `SPACES` by name, and `EARLIER`, the spaces of studies begun before spaces had scales."""

from __future__ import annotations

from spaces.earlier import EARLIER
from spaces.joint import JOINT
from spaces.joint_published import JOINT_PUBLISHED
from spaces.space import PUBLISHED, SMALL, Space, with_scales

PAPERS = ("slimnets2018", "chen2021", "aghli2021", "malihi2023")
"""Spaces of a paper each."""
SPACES: dict[str, Space] = {
    "joint": with_scales({PUBLISHED: JOINT_PUBLISHED, SMALL: JOINT}),
    **{name: EARLIER[name] for name in PAPERS},
}

__all__ = ["EARLIER", "SPACES", "Space"]
