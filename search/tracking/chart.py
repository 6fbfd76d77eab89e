"""A view of MLflow's own charts for a study: quality against size, a dot for each model of the front.

MLflow keeps a shared view of an experiment's runs in a tag of the experiment, and opens the view of a link with
`viewStateShareKey`. A version of MLflow that does not know the view shows the plain list of runs.
"""

from __future__ import annotations

import json
import math

from compress.figures import graded, named
from search.study.front import is_quality
from search.study.record import Point, StudyRecord
from search.tracking.fields import Step, per_mille


def size_of(study: StudyRecord) -> str:
    """Return the cost drawn against the quality: the first among the objectives."""
    return next((name for name in study.objectives if not is_quality(name)), "params")


def log_size(point: Point, size: str) -> Step:
    """Return the logarithm of a model's cost: MLflow's scatter plots have no logarithmic axis."""
    (cost,) = named(size)
    return f"log10_{cost.metric}", math.log10(max(cost.value(point.measured), 1e-9)), per_mille(point)


def view_key(study: str) -> str:
    """Return the key of a study's view in links."""
    return f"paretune-{study}"


def view(study: StudyRecord) -> str:
    """Return the state of MLflow's page: the runs of the front, a scatter plot of the test quality over the size."""
    size, quality = size_of(study), graded(study.quality)[1].metric
    chart = {
        "type": "SCATTER",
        "uuid": "front",
        "metricSectionId": "front",
        "runsCountToCompare": 100,
        "deleted": False,
        "isGenerated": False,
        "xaxis": {"key": f"log10_{size}", "type": "METRIC"},
        "yaxis": {"key": quality, "type": "METRIC"},
    }
    section = {"uuid": "front", "name": "Front", "display": True, "isReordered": False, "columns": 1, "cardHeight": 420}
    state = {
        "searchFilter": f"tags.paretune.study = '{study.name}' and tags.front = 'yes'",
        "orderByKey": f"metrics.`{size}`",
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [f"metrics.`{quality}`", f"metrics.`{size}`"],
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "runsVisibilityMap": {},
        "runsHiddenMode": "SHOWALL",
        "groupBy": None,
        "groupsExpanded": {},
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "autoRefreshEnabled": False,
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": False,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
        "compareRunCharts": [chart],
        "compareRunSections": [section],
    }
    return json.dumps(state)
