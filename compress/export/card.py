"""The card of an export, for people: the model, the steps that made it, its figures, how to load each form.

Every figure comes from the facts in `card.json`. Names given by a user are escaped.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

from compress.figures import COSTS
from compress.quality import ACCURACY, Quality

_SPECIAL = re.compile(r"([\\`*_{}\[\]|~#])")
_LINK = re.compile(r"https://[\w.~:/?#@!$&'()*+,;=%-]+")

_RUN = """\
given = json.load(open("card.json"))["input"]
mean, std = (torch.tensor(given[name]).view(1, -1, 1, 1) for name in ("mean", "std"))
pixels = torch.zeros(1, given["channels"], given["height"], given["width"])  # yours, on their raw scale
logits = model((pixels - mean) / std)
{answer}"""
_ANSWERS = {
    "classification": 'print(given["classes"][int(logits.argmax(1))])',
    "multilabel": 'print([name for name, logit in zip(given["classes"], logits[0]) if logit > 0])',
    "segmentation": "print(logits.argmax(1))",
}
"""Code that reads the outputs, by goal; the outputs of any other goal are printed."""
_DEVICE = 'device = "cpu"  # or "cuda", and the images there'
_LOAD = {
    "model.pt2": (
        "`torch.export` program",
        "import json, torch\nfrom torch.export.passes import move_to_device_pass",
        f'{_DEVICE}\nmodel = move_to_device_pass(torch.export.load("model.pt2"), device).module()',
    ),
    "load.py": (
        "`safetensors`, plain torch: `load.py` beside this card reads `model.safetensors` and `structure.json`",
        "import json, torch\nfrom load import load",
        f'{_DEVICE}\nmodel = load(".", device)',
    ),
    "model.onnx": (
        "ONNX, here by onnxruntime",
        "import json, torch, onnxruntime",
        'session = onnxruntime.InferenceSession("model.onnx")\n'
        'model = lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])',
    ),
}
_TRUST = {
    "load.py": "`load.py` runs nothing that the files bring: it reads tensors and does operations of its own list.",
    "model.pt2": "`model.pt2` is opened by torch's own loader, and is as safe as that is.",
}
"""Code run by opening a form, by file name."""

_KINDS = {"classification": "A classifier", "multilabel": "A classifier of several labels an image"}
_CHOSEN = {
    "accuracy": "the most accurate",
    "params": "the smallest",
    "latency": "the fastest",
    "knee": "the knee, where accuracy gets dear",
}
"""The pick in words, by the preference of `select`."""


def sides(shape: tuple[int, int, int]) -> dict[str, int]:
    """Return the sides of images (C, H, W) for a card; squares have their `size` too, as in earlier versions."""
    channels, height, width = shape
    return {"channels": channels, "height": height, "width": width, **({"size": height} if height == width else {})}


def shape_of(given: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return the shape (C, H, W) of a card's input, of earlier versions too; KeyError without sides."""
    if "height" in given:
        return given["channels"], given["height"], given["width"]
    return given["channels"], given["size"], given["size"]


def text(facts: Mapping[str, Any]) -> str:
    """Return the card in Markdown, without sections for missing facts, like the figures before the evaluation."""
    parts = [_title(facts), _made(facts), _figures(facts), _input(facts), _forms(facts), _loading(facts)]
    return "\n\n".join(part for part in (*parts, _sources(facts), _limits(facts)) if part) + "\n"


def plain(value: object) -> str:
    """Return a value as a single line of text, escaped for Markdown and HTML."""
    return _SPECIAL.sub(r"\\\1", html.escape(" ".join(str(value).split()), quote=False))


def _title(facts: Mapping[str, Any]) -> str:
    made = facts.get("made", [])
    lines = [f"# {plain(made[0] if made else 'A compressed model')}"]
    point = facts.get("point")
    if isinstance(point, Mapping):
        bounds = ", ".join(f"{name.replace('_', '-')} {value}" for name, value in facts.get("budget", {}).items())
        end = "lower" if Quality.from_json(facts.get("quality")).higher_is_better else "upper"
        lower = f", by the {end} end of the confidence over seeds" if facts["robust"] else ""
        kind = _KINDS.get(_goal(facts)["name"], "A network")
        lines.append(
            f"{kind}, found by Paretune. Study {plain(facts['study'])}, trial {point['trial']}, point "
            f"{plain(point['id'])}: {point['sparsity']:.1%} of the weights gone, {plain(point['variant'])}. "
            f"Chosen on validation alone{lower}: {_chosen(facts)} within the budget "
            f"({plain(bounds or 'none')}). Data: {plain(facts['data'])}."
        )
    return "\n\n".join(lines)


def _chosen(facts: Mapping[str, Any]) -> str:
    quality = Quality.from_json(facts.get("quality"))
    if facts["prefer"] == ACCURACY.name and quality != ACCURACY:
        return f"the best by {plain(quality.name)}"
    return _CHOSEN[facts["prefer"]].replace(ACCURACY.name, plain(quality.name))


def _made(facts: Mapping[str, Any]) -> str:
    made = facts.get("made", [])[1:]
    if not made:
        return ""
    seed = facts["point"]["recipe"]["seed"] if "point" in facts else ""
    steps = "\n".join(f"{number}. {plain(line)}" for number, line in enumerate(made, 1))
    return f"## How it was made\n\n{steps}\n\nSeed {seed}."


def _figures(facts: Mapping[str, Any]) -> str:
    found = facts.get("measured")
    if not found:
        return ""
    quality = Quality.from_json(facts.get("quality"))
    rows = [(f"{split} {quality.name}", quality.text(value)) for split, value in found[quality.name].items()]
    own = {f"{quality.name}_{split}" for split in found[quality.name]}
    beside = {name: value for name, value in found.get("metrics", {}).items() if name not in own}
    rows += [(" on ".join(name.rsplit("_", 1)), f"{value:.4g}") for name, value in beside.items()]
    rows += [(cost.axis, cost.style.text(found[cost.name])) for cost in COSTS if cost.is_foreseen]
    spread = facts.get("spread")
    if spread:
        rows.append(
            (
                f"over {spread['count']} seeds",
                f"mean validation {quality.name} {quality.text(spread['validation'])} ± "
                f"{quality.text(spread['margin'])} (95 % confidence), test {quality.text(spread['test'])}",
            )
        )
    same = plain(found.get("elsewhere") or "the search had recorded the same")
    body = f"Measured of the exported network in a new process; {same}. Bytes are those of `model.safetensors`."
    parts = [_table(("what", "figure"), rows), _robustness(found, quality), _latency(found)]
    return "\n\n".join(["## What was measured", body, *(part for part in parts if part)])


def _robustness(found: Mapping[str, Any], quality: Quality) -> str:
    hard = found.get("robustness")
    if not hard:
        return ""
    values = {"clean": hard["clean"], **hard["corrupted"]}
    rows = [(name, quality.text(value)) for name, value in values.items()]
    told = f"{hard['images']} test images, corrupted at severity {hard['severity']} of 5; targets stay."
    return f"### Robustness\n\n{told}\n\n{_table(('images', f'test {plain(quality.name)}'), rows)}"


def _latency(found: Mapping[str, Any]) -> str:
    where = found["machine"]
    rows = [
        (form, str(row["batch"]), f"{row['median_ms']:.3f}", f"{row['p95_ms']:.3f}", plain(row["device"]))
        for form, figures in found["formats"].items()
        for row in figures["latency"]
    ]
    zeros = found["params"] - found["nonzero_params"]
    idle = (
        f"\n\n{zeros / found['params']:.1%} of the parameters are zeros. They were not measured as speed: every form "
        "multiplies them like other numbers. They make the file smaller once it is compressed."
        if zeros
        else ""
    )
    return (
        "### Latency\n\n"
        + _table(("form", "batch", "median ms", "95th percentile ms", "on"), rows)
        + f"\n\n{found['threads']} thread{'s' if found['threads'] > 1 else ''}, {plain(where['processor'])}, "
        f"{where['cores']} cores, Python {plain(where['python'])}, torch {plain(where['torch'])}.{idle}"
    )


def _input(facts: Mapping[str, Any]) -> str:
    given = facts["input"]
    shape = ", ".join(map(str, shape_of(given)))
    return (
        f"## Input and output\n\nFloat images `(B, {shape})`, any B: "
        f"{given['pixels']}; then less `mean` {given['mean']}, divided by `std` {given['std']}, both per channel. "
        f"{_outputs(facts)}"
    )


def _outputs(facts: Mapping[str, Any]) -> str:
    goal = _goal(facts)
    names = ", ".join(plain(name) for name in goal["names"])
    if goal["dense"]:
        return f"Out come logits `(B, {goal['outputs']}, H, W)` by pixel; the classes are, in order: {names}."
    if goal["name"] in _ANSWERS:
        return f"Out come logits `(B, {goal['outputs']})`; the classes are, in order: {names}."
    unit = f", in {plain(goal['unit'])}" if goal["unit"] else ""
    return f"Out come values `(B, {goal['outputs']})`{unit}{f', in order: {names}' if names else ''}."


def _goal(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the meaning of the outputs; a card without it is of a classifier."""
    names = facts["input"]["classes"]
    return facts.get("goal") or {"name": "classification", "outputs": len(names), "names": names, "dense": False}


def _forms(facts: Mapping[str, Any]) -> str:
    """Return the section comparing each form with the network itself."""
    same = "the same class" if _goal(facts)["name"] in _ANSWERS else "the same values"
    lines = [_form(name, figures, same) for name, figures in facts.get("measured", {}).get("formats", {}).items()]
    return "\n".join(["## The forms", "", *lines]) if lines else ""


def _form(name: str, found: Mapping[str, Any], same: str) -> str:
    line = (
        f"- `{name}`: {same} as the network on {found['agreement']:.2%} of {found['images']} test images, "
        f"{'logits' if same == 'the same class' else 'values'} within {found['difference']:.1e} (relative beyond 1)"
    )
    if name != "onnx":
        return f"{line}."
    line += f"; opset {found['opset']}, onnxruntime {plain(found['onnxruntime'])}, on the CPU."
    if not found["int8_layers"]:
        return line
    return (
        f"{line} Its int8 weights are stored as int8, its activations quantized to uint8 (QuantizeLinear and "
        f"DequantizeLinear). Of {found['int8_layers']} such layers onnxruntime multiplies {found['integer_layers']} in "
        "integers here, the others in float on the same values."
    )


def _loading(facts: Mapping[str, Any]) -> str:
    parts = ["## How to load it", "", "In this folder:"]
    run = _RUN.replace("{answer}", _ANSWERS.get(_goal(facts)["name"], "print(logits)"))
    for name, (title, imports, load) in _LOAD.items():
        if name in facts["files"]:
            parts += ["", f"{title[0].upper()}{title[1:]}:", "", f"```python\n{imports}\n\n{load}\n{run}\n```"]
    parts += ["", *(line for name, line in _TRUST.items() if name in facts["files"])]
    return "\n".join(parts)


def _sources(facts: Mapping[str, Any]) -> str:
    rows = [f"- {plain(name)}: {_linked(link)}" for name, link in facts.get("sources", {}).items() if link]
    return "## Sources\n\n" + "\n".join(rows) if rows else ""


def _figure_name(facts: Mapping[str, Any]) -> str:
    quality = Quality.from_json(facts.get("quality"))
    return "accuracies are" if quality == ACCURACY else f"values of {quality.name} are"


def _limits(facts: Mapping[str, Any]) -> str:
    lines = [
        f"- The {_figure_name(facts)} those of this task's images alone; nothing is known of other images.",
        "- Latencies are of the machine and versions above; on another they differ.",
    ]
    kept = [f"`{name}`" for name in ("model.pt2", "load.py") if name in facts["files"]]
    if kept and facts.get("point", {}).get("variant") == "int8":
        lines.append(
            f"- With {' and '.join(kept)} the int8 weights are kept as they are, and computed with in float on their "
            "values, as integers would give: small, not fast."
        )
    return "## Limits\n\n" + "\n".join(lines)


def _linked(link: str) -> str:
    return f"<{link}>" if _LINK.fullmatch(link) else plain(link)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
