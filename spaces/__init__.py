"""Search spaces: `SPACES` by name, a file for each published study."""

from __future__ import annotations

from spaces.aghli2021 import AGHLI2021
from spaces.chen2021 import CHEN2021
from spaces.joint import JOINT
from spaces.malihi2023 import MALIHI2023
from spaces.slimnets2018 import SLIMNETS2018
from spaces.space import Space

SPACES: dict[str, Space] = {space.name: space for space in (JOINT, SLIMNETS2018, CHEN2021, AGHLI2021, MALIHI2023)}

__all__ = ["SPACES", "Space"]
