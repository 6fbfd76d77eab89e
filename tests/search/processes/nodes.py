"""A Ray of several nodes on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def cluster_of(*nodes: dict[str, Any]) -> Iterator[Any]:
    """A Ray of a head that runs no trials and one node for each dictionary of its arguments."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for one in nodes:
            cluster.add_node(**one)
        yield cluster
    finally:
        cluster.shutdown()  # type: ignore[no-untyped-call]


def busy(cluster: Any) -> list[str]:
    """The nodes on which trials run now, a node as often as it has trials."""
    actors = cluster.global_state.actor_table(None).values()
    return [actor["Address"]["NodeID"] for actor in actors if actor["State"] == "ALIVE"]
