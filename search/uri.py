"""Where MLflow is: whether a server answers there, and how the place is named in a sentence."""

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
    """Why a server does not answer at `uri`; "" where it does, or where there is none to ask."""
    return asked(uri)[0]


def asked(uri: str) -> tuple[str, bool]:
    """The same, and whether it may do so later: the address is one, but the server or what is before it is down."""
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
    """The URI without user and password."""
    try:
        parts = urlsplit(uri)
    except ValueError:  # no address at all, so none to log in at
        return uri
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else uri


def in_memory(uri: str) -> bool:
    """Whether it is SQLite's database without a file, gone with the process."""
    place = uri.partition("?")[0]
    return place.startswith("sqlite") and place.rpartition("/")[2] in ("", ":memory:")


def database(uri: str) -> Path:
    """The file of a `sqlite:///` URI."""
    return Path(unquote(uri.removeprefix("sqlite:///").partition("?")[0]))


def sqlite_uri(file: Path) -> str:
    """The URI of a database's file, by which MLflow opens that file whatever characters are in its path.

    Where any must be quoted the slashes are as well: MLflow makes the folder that it reads in an unquoted URI.
    """
    path = str(file)
    return f"sqlite:///{quote(path, safe='') if '?' in path or '%' in path else path}"
