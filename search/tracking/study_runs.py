"""A study renamed or deleted in MLflow: its runs follow. Registered models stay under the names they were given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from search.tracking.chart import view_key
from search.tracking.client import TrackingError, check_reachable, reason
from search.tracking.runs import Runs
from search.uri import database, shown


@dataclass(frozen=True)
class StudyRuns:
    """The runs of studies at `uri`; `artifact_root` as of `Runs`."""

    uri: str
    artifact_root: Path

    @property
    def are_there(self) -> bool:
        """Return whether there can be runs: a home's own database is made with its first study."""
        return not self.uri.startswith("sqlite:") or database(self.uri).exists()

    def rename_runs(self, study: str, name: str) -> int:
        """Give the runs of a study to the study `name`; return their number. TrackingError where MLflow refuses."""
        runs = self._of(study)
        found = [*runs.known.values(), *runs.front.values()]
        try:
            for run in found:
                runs.write(run, [], {}, {"paretune.study": name})
            if None in runs.known:
                runs.write(runs.known[None], [], {}, {"mlflow.runName": name})
            runs.drop_view(view_key(study))
        except Exception as error:
            raise TrackingError(f"rename: MLflow at {shown(self.uri)} refuses: {reason(error)}") from error
        return len(found)

    def delete_runs(self, study: str) -> int:
        """Delete the runs of a study, which MLflow can restore until `mlflow gc`; return their number.

        TrackingError where MLflow refuses.
        """
        runs = self._of(study)
        found = [*runs.front.values(), *runs.known.values()]
        try:
            for run in found:
                runs.drop(run)
            runs.drop_view(view_key(study))
        except Exception as error:
            raise TrackingError(f"delete: MLflow at {shown(self.uri)} refuses: {reason(error)}") from error
        return len(found)

    def _of(self, study: str) -> Runs:
        check_reachable(self.uri)
        return Runs(self.uri, study, self.artifact_root)
