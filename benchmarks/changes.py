"""Changes to a file, drawn from a seed: of its bytes, or of the fields of its JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

DEEP = "a very deep list"
CANARY = "ran.txt"
VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**40,
    10**30,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x" * 5000,
    [],
    {},
    [[]],
    [-1, 2**62],
    DEEP,
    "os:system",
    "evil:make",
    "__class__.__init__.__globals__",
    "attrgetter",
    "aten.from_file.default",
    "torch.ops.load_library",
    "torch.hub.load",
    "__import__('os').system('echo ran > ran.txt')",
    "../../../etc/passwd",
    {"of": "images"},
    {"torch": "load"},
    {"type": "model", "family": "evil:make", "width": 1.0},
)
"""What a field may become."""


def bytes_changed(data: bytes, draw: random.Random) -> bytes:
    """Flipped, cut, grown, swapped, zeroed, repeated; never the same bytes."""
    changed = data
    while changed == data:
        changed = draw.choice(BYTES)(bytearray(data), draw)
    return changed


def _flip(data: bytearray, draw: random.Random) -> bytes:
    for _ in range(draw.choice((1, 1, 1, 4))):
        if data:
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(data)


def _cut(data: bytearray, draw: random.Random) -> bytes:
    return bytes(data[: draw.randrange(len(data) + 1)])


def _grow(data: bytearray, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return bytes(data[:at]) + draw.randbytes(draw.choice((1, 8, 500))) + bytes(data[at:])


def _swap(data: bytearray, draw: random.Random) -> bytes:
    one, other = sorted(draw.randrange(len(data) + 1) for _ in range(2))
    return bytes(data[other:] + data[one:other] + data[:one])


def _zero(data: bytearray, draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    length = min(draw.choice((1, 8, 64)), len(data) - at)
    return bytes(data[:at]) + bytes(length) + bytes(data[at + length :])


def _first(data: bytearray, draw: random.Random) -> bytes:
    """Another number in the first bytes, where formats keep lengths."""
    return draw.choice((b"\xff" * 8, b"\x00" * 8, (2**40).to_bytes(8, "little"))) + bytes(data[8:])


BYTES: tuple[Callable[[bytearray, random.Random], bytes], ...] = (_flip, _flip, _cut, _grow, _swap, _zero, _first)


def fields_changed(whole: Any, draw: random.Random) -> Any:
    """A copy with a field of it, drawn at any depth, deleted, renamed, repeated, swapped or of another value."""
    copy = json.loads(json.dumps(whole))
    holders = list(_holders(copy))
    holder = draw.choice(holders)
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    key, how = draw.choice(keys), draw.random()
    if how < 0.15:
        del holder[key]
    elif how < 0.25 and isinstance(holder, dict):
        holder[draw.choice(("out", "__class__", "sha256", f"{key}x", "type"))] = holder.pop(key)
    elif how < 0.25:
        holder.insert(key, holder[key])
    elif how < 0.35:
        other = draw.choice(keys)
        holder[key], holder[other] = holder[other], holder[key]
    else:
        holder[key] = draw.choice(VALUES)
    return copy


def _holders(value: Any) -> Any:
    if isinstance(value, dict | list) and value:
        yield value
        for one in value.values() if isinstance(value, dict) else value:
            yield from _holders(one)


def written(whole: Any) -> bytes:
    """As JSON; where a deep list is asked for it is too deep for Python's own writer."""
    deep = "[" * 100_000 + "]" * 100_000
    return json.dumps(whole).replace(json.dumps(DEEP), deep).encode()
