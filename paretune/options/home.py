"""Options of the verbs for the studies of a home."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from paretune.options.study import Listing
from search.option_fields import argument, home_setting, json_setting, setting, tracking_setting


@dataclass(frozen=True, kw_only=True)
class Studies:
    """`paretune studies`."""

    home: Path | None = home_setting()
    json: bool = json_setting()


@dataclass(frozen=True, kw_only=True)
class Stop(Listing):
    """`paretune stop`."""

    trial: int | None = field(default=None, metadata=argument("Number of a trial; the whole search if left out."))
    yes: bool = setting(False, "Stop the teacher too, trial 0, of which shares such as 10% are.")


@dataclass(frozen=True, kw_only=True)
class Clean(Listing):
    """`paretune clean`."""

    dry_run: bool = setting(False, "Drop nothing, say what would be dropped.")
    yes: bool = setting(False, "Drop without asking.")


@dataclass(frozen=True, kw_only=True)
class Rename(Listing):
    """`paretune rename`."""

    new: str = field(metadata=argument("The new name."))
    tracking_uri: str | None = tracking_setting()


@dataclass(frozen=True, kw_only=True)
class Delete(Listing):
    """`paretune delete`."""

    yes: bool = setting(False, "Delete without asking.")
    tracking_uri: str | None = tracking_setting()


@dataclass(frozen=True, kw_only=True)
class Ui:
    """`paretune ui`."""

    study: str | None = field(default=None, metadata=argument("Study whose page is shown.", is_study=True))
    port: int | None = setting(None, "Port of the server; a free one from 5000 on if left out.")
    home: Path | None = home_setting()


@dataclass(frozen=True, kw_only=True)
class Sync(Listing):
    """`paretune sync`."""

    tracking_uri: str | None = tracking_setting()
