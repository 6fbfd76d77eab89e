"""Every test of a store in a bucket is one of every kind of bucket."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from compress.store.objects import PROTOCOLS


@pytest.fixture(params=PROTOCOLS)
def bucket(request: pytest.FixtureRequest, new_bucket: Callable[[str], str]) -> str:
    """An empty place in a bucket of every protocol."""
    return new_bucket(request.param)
