"""The papers whose studies can be repeated: `PAPERS` by name, a file for each."""

from __future__ import annotations

from spaces.papers.aghli2021 import AGHLI2021
from spaces.papers.chen2021 import CHEN2021
from spaces.papers.malihi2023 import MALIHI2023
from spaces.papers.paper import Paper
from spaces.papers.resrep2021 import RESREP2021
from spaces.papers.singh2019 import SINGH2019
from spaces.papers.slimnets2018 import SLIMNETS2018

PAPERS: dict[str, Paper] = {
    paper.name: paper for paper in (MALIHI2023, SLIMNETS2018, CHEN2021, AGHLI2021, RESREP2021, SINGH2019)
}

__all__ = ["PAPERS", "Paper"]
