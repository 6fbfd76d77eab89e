"""Attention maps of a study's models: as a value, and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paretune.options.view import IMAGES, MOST_IMAGES
from paretune.verbs.files import check_place, write
from paretune.verbs.view import Looked
from search.settings import home_folder
from search.study.study import Study

if TYPE_CHECKING:
    from dashboards.attention import AttentionMaps


def attention(
    name: str,
    points: Sequence[str],
    images: int = IMAGES,
    tap: str | None = None,
    *,
    home: Path | str | None = None,
    data: Path | None = None,
) -> AttentionMaps:
    """Attention maps of points' models on test images: where a layer of each network is active.

    `images` test images, at most 64, are drawn, always the same. `tap` is the name of a stage or the path of a module;
    None takes the middle stage of each network, of a user's own its middle convolution. ValueError for an unknown
    study, point or tap, or a model that is gone.
    """
    from compress.errors import check_whole
    from dashboards.attention import AttentionMaps

    check_whole("attention: images", images, 1)
    if images > MOST_IMAGES:
        raise ValueError(f"attention: images must be at most {MOST_IMAGES}, got {images}")
    looked = Looked.at("attention", name, points, home)
    files, task = looked.files(), looked.task(data)
    models = {point.id: files[point.id].module() for point in looked.points}
    titles = {row["point"]: f"{row['student']}, {row['sparsity']:.0%}" for row in map(looked.row, looked.points)}
    return AttentionMaps.of(models, task, images, tap, titles)


def attention_page(
    name: str,
    points: Sequence[str],
    path: Path | None = None,
    images: int = IMAGES,
    tap: str | None = None,
    *,
    home: Path | str | None = None,
    data: Path | None = None,
) -> Path:
    """Write the picture of `attention` as an HTML file and return its path; by default beside the ledger.

    ValueError for a path that cannot be written.
    """
    from dashboards.attention import attention_page as draw

    if path is not None:
        check_place("attention", path)
    target = path or Study(home_folder(home), name).folder / "attention.html"
    write("attention", target, draw(name, attention(name, points, images, tap, home=home, data=data)))
    return target
