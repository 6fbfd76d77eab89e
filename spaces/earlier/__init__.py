"""Spaces as earlier versions had them: `EARLIER` by name, for studies whose header has no scale.

A study is resumed with the recipes it was begun with. The modules here therefore never change.
"""

from __future__ import annotations

from spaces.earlier.aghli2021 import AGHLI2021
from spaces.earlier.chen2021 import CHEN2021
from spaces.earlier.malihi2023 import MALIHI2023
from spaces.earlier.slimnets2018 import SLIMNETS2018
from spaces.joint import JOINT
from spaces.space import Space

EARLIER: dict[str, Space] = {space.name: space for space in (JOINT, SLIMNETS2018, CHEN2021, AGHLI2021, MALIHI2023)}

__all__ = ["EARLIER"]
