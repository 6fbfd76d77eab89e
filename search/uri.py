"""URIs of MLflow: ask whether a server answers, and show a URI without its password."""

from __future__ import annotations

import errno
import http.client
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from search.environment import spare_loopback

HEALTH_TIMEOUT_S = 5.0
UNREACHABLE = errno.EHOSTUNREACH, errno.ENETUNREACH


def unhealthy(uri: str) -> str:
    """Return why no server answers at `uri`; "" where a server answers, or where the URI names no server."""
    return asked(uri)[0]


def asked(uri: str) -> tuple[str, bool]:
    """Return the reason of `unhealthy`, and whether the server may answer later.

    A server may answer later if the server, or a proxy in front, is down.
    """
    if not uri.startswith(("http:", "https:")):
        return "", False
    spare_loopback()
    try:
        with urllib.request.urlopen(f"{shown(uri).rstrip('/')}/health", timeout=HEALTH_TIMEOUT_S):
            return "", False
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code} at /health", error.code >= 500
    except (OSError, ValueError, http.client.HTTPException) as error:
        inner = getattr(error, "reason", error)
        down = isinstance(inner, ConnectionError | TimeoutError) or getattr(inner, "errno", None) in UNREACHABLE
        return str(getattr(inner, "strerror", None) or inner), down


def shown(uri: str) -> str:
    """Return the URI without user and password."""
    try:
        parts = urlsplit(uri)
    except ValueError:  # no address, so no password to hide
        return uri
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else uri


def in_memory(uri: str) -> bool:
    """Return whether the URI names SQLite's database in memory, gone with the process."""
    place = uri.partition("?")[0]
    return place.startswith("sqlite") and place.rpartition("/")[2] in ("", ":memory:")


def database(uri: str) -> Path:
    """Return the file of a `sqlite:///` URI."""
    return Path(unquote(uri.removeprefix("sqlite:///").partition("?")[0]))


def sqlite_uri(file: Path) -> str:
    """Return the URI by which MLflow opens the database `file`, whatever characters are in the path.

    Where any character must be quoted the slashes are quoted too: MLflow makes the folder named in an unquoted URI.
    """
    path = str(file)
    return f"sqlite:///{quote(path, safe='') if '?' in path or '%' in path else path}"
