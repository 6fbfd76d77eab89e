"""A picture of attention maps, images by networks: the image in the first column, then a map of each network.

Chen et al. 2021, figure 12, https://doi.org/10.1007/s40747-020-00248-y.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from compress.corruptions.corruption import Scale
from compress.data.tasks import Task
from compress.inspection.attention import attention_maps, path_of
from dashboards import theme
from dashboards.page import paragraph, section, still_page

Floats = NDArray[np.float32]
_FEW_PIXELS = 96
"""Side below which an image is shown with its pixels as squares."""


@dataclass(frozen=True, eq=False)
class AttentionMaps:
    """Attention maps of several networks on the same test images.

    `images` `(N, C, H, W)` are from 0, black, to 1, white. `maps` has `(N, H, W)`, from 0 to 1, by network, `taps` the
    path of the layer, `titles` a network's name for people. `index` `(N,)` are the images' positions in the test split.
    `labels` are the images' classes, and `answers` those of each network; both are empty where a task has no classes.
    """

    images: Floats
    index: tuple[int, ...]
    labels: tuple[str, ...]
    maps: Mapping[str, Floats]
    answers: Mapping[str, tuple[str, ...]]
    taps: Mapping[str, str]
    titles: Mapping[str, str]

    @classmethod
    def of(
        cls, models: Mapping[str, nn.Module], task: Task, count: int, tap: str | None, titles: Mapping[str, str]
    ) -> AttentionMaps:
        """Compute the maps of `count` test images, drawn with a fixed seed; RecipeError for an impossible tap."""
        batch, scale = task.test.some(count, seed=0), Scale.of(task.train)
        mean, std = (torch.tensor(each, device=batch.images.device).view(1, -1, 1, 1) for each in (task.mean, task.std))
        raw = scale.unit(batch.images * std + mean).clamp(0, 1).cpu()
        placed = {key: model.to(batch.images.device) for key, model in models.items()}
        taps = {key: path_of(model, tap, batch.images[:1]) for key, model in placed.items()}
        named = task.goal.softmax and not task.goal.dense
        return cls(
            raw.numpy(),
            tuple(batch.index.tolist()),
            tuple(task.classes[int(target)] for target in batch.targets) if named else (),
            {key: attention_maps(model, batch.images, taps[key]).numpy() for key, model in placed.items()},
            {key: _answers(model, batch.images, task) if named else () for key, model in placed.items()},
            taps,
            dict(titles),
        )


def _answers(model: nn.Module, images: Tensor, task: Task) -> tuple[str, ...]:
    with torch.no_grad():
        return tuple(task.classes[place] for place in model.eval()(images).argmax(1).tolist())


def picture(found: AttentionMaps) -> str:
    """Return the picture as HTML, with the images in it as PNG, and a legend."""
    heads = "".join(
        f'<th scope="col">{html.escape(found.titles[key])}<small>{html.escape(key[:8])}<br>'
        f"{html.escape(found.taps[key] or 'the network')}</small></th>"
        for key in found.maps
    )
    rows = "\n".join(_row(found, place) for place in range(len(found.images)))
    stops = ", ".join(theme.HEAT)
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="attention maps"><table class="pictures">'
        f'<thead><tr><th scope="col">image</th>{heads}</tr></thead><tbody>\n{rows}\n</tbody></table></div>'
        f'<p class="heat"><span>no activation</span><i style="background: linear-gradient(to right, {stops})"></i>'
        "<span>the most in this map</span></p>"
    )


def _row(found: AttentionMaps, place: int) -> str:
    label = found.labels[place] if found.labels else ""
    cells = [_cell(_photo(found.images[place]), f"test image {found.index[place]}", label)]
    for key, maps in found.maps.items():
        answer = found.answers[key][place] if found.labels else ""
        about = f"attention of {key[:8]} on test image {found.index[place]}"
        cells.append(_cell(_heat(maps[place]), about, answer, is_wrong=answer != label))
    return f"<tr>{''.join(cells)}</tr>"


def _cell(picture: Image.Image, about: str, text: str, *, is_wrong: bool = False) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    kind = ' class="pixels"' if max(picture.size) < _FEW_PIXELS else ""
    said = f"<small{' class=wrong' if is_wrong else ''}>{html.escape(text)}</small>" if text else ""
    return f'<td><img{kind} src="data:image/png;base64,{data}" alt="{html.escape(about)}">{said}</td>'


def _photo(image: Floats) -> Image.Image:
    """Return an image `(C, H, W)`: in colour if of three channels, else the mean of the channels in grey."""
    pixels = np.rint(255 * image).astype(np.uint8)
    if len(pixels) == 3:
        return Image.fromarray(pixels.transpose(1, 2, 0))
    return Image.fromarray(np.rint(255 * image.mean(0)).astype(np.uint8))


def _heat(values: Floats) -> Image.Image:
    """Return a map `(H, W)` of values from 0 to 1 in the colours of `theme.HEAT`."""
    stops = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in theme.HEAT], dtype=float)
    places = np.linspace(0, 1, len(stops))
    channels = [np.interp(values, places, stops[:, channel]) for channel in range(3)]
    return Image.fromarray(np.rint(np.stack(channels, -1)).astype(np.uint8))


def attention_section(found: AttentionMaps) -> str:
    """Return the section for a page: how to read the picture, and the picture."""
    wrong = " Below a map stands the network's answer, in red if wrong." if found.labels else ""
    text = (
        "Where a layer of each network is active: squared activations, mean over channels, at the layer named, of test "
        f"images drawn once for all.{wrong}"
    )
    return section("Attention maps", paragraph(text), picture(found))


def attention_page(name: str, found: AttentionMaps) -> str:
    """Return the picture as an HTML document of its own: all text escaped, nothing fetched, no script."""
    return still_page(f"{name}, attention - Paretune", f"<h1>{html.escape(name)}</h1>\n{attention_section(found)}")
