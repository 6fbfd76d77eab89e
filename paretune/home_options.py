"""Options of the verbs for the studies of a home."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from paretune.verb_options import Listing
from search.option_fields import argument, home_setting, json_setting


@dataclass(frozen=True, kw_only=True)
class Studies:
    """`paretune studies`."""

    home: Path | None = home_setting()
    json: bool = json_setting()


@dataclass(frozen=True, kw_only=True)
class Stop(Listing):
    """`paretune stop`."""

    trial: int | None = field(default=None, metadata=argument("Number of a trial; the whole search if left out."))
