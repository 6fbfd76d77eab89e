"""Checks of an option's value: a number in its range, a folder to write to."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def check_number(option: str, value: float, least: float, most: float = sys.float_info.max) -> None:
    """ValueError unless `value` is a number in `[least, most]`; NaN is in no range."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{option} must be a number, got {value!r}")
    if not least <= value <= most:  # neither does NaN
        rule = f"at most {most:g}" if value > most else f"at least {least:g}"
        raise ValueError(f"{option} must be {rule}, got {value:g}")


def check_whole(option: str, value: int, least: int, most: int) -> None:
    """ValueError unless `value` is a whole number in `[least, most]`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{option} must be a whole number, got {value!r}")
    if not least <= value <= most:
        rule = f"at least {least}" if value < least else f"at most {most}"
        raise ValueError(f"{option} must be {rule}, got {value}")


def check_folder(option: str, folder: Path) -> None:
    """ValueError unless `folder` can be written to, or made; nothing is made."""
    try:
        str(folder).encode()  # MLflow's database, its URIs and JSON take no other name
        folder.stat()
    except UnicodeEncodeError as error:
        raise ValueError(f"{option} must have a name in UTF-8, got {str(folder)!a}") from error
    except (FileNotFoundError, NotADirectoryError):  # it will be made
        pass
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ValueError(f"{option} must be writable, got {folder}: {why}") from error
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not there.is_dir():
        raise ValueError(f"{option} must be a folder, got {folder}: {there} is a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"{option} must be writable, got {folder}: no permission in {there}")
