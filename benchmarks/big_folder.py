"""A folder of many images: first and second start, images a second against what the cores decode, memory.

    python -m benchmarks.big_folder [--images 200000] [--folder build/big-folder] [--out FILE]

The images are drawn, JPEGs of 224 pixels in ten classes; those there are not drawn again. Every start is a process of
its own. Writes `benchmarks/results/big_folder.md`. Pixels take 150 KB an image on the disk, and are removed at the end.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.bars import Row, table
from benchmarks.machine import machine
from compress.data.folder.images import Files, Picture
from compress.data.tasks import load_task

RESULTS = Path(__file__).parent / "results" / "big_folder.md"
SIZE, CLASSES, TEST, SAMPLE = 224, 10, 0.1, 4096
DETAIL = 48
"""Random pixels a side, enlarged: a file has as many bytes as a photograph of this size."""
WORKERS = 4
NAME_BYTES = 512
"""Memory of an image's name, label and place in a listing."""


def draw(folder: Path, images: int) -> None:
    """Draw the images that are missing: a class is a colour and a number of waves, with noise."""
    with multiprocessing.Pool() as pool:
        jobs = [(folder, number, images) for number in range(images)]
        for done, _ in enumerate(pool.imap_unordered(_draw, jobs, chunksize=256), 1):
            if done % 20_000 == 0:
                print(f"{done:,} of {images:,} images are there", flush=True)


def _draw(job: tuple[Path, int, int]) -> None:
    folder, number, images = job
    part, kind = "test" if number < TEST * images else "train", number % CLASSES
    file = folder / part / f"class{kind}" / f"{number:07d}.jpg"
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(number)
    small = random.random((DETAIL, DETAIL, 3)) * 0.5
    small[..., kind % 3] += 0.5 * np.sin(np.arange(DETAIL) * (kind + 1) / 12) ** 2
    Image.fromarray((255 * small).astype(np.uint8)).resize((SIZE, SIZE), Image.Resampling.BICUBIC).save(
        file, quality=85
    )


def start(folder: Path, cache: Path) -> None:
    """Load the task in this process; print seconds, decoded images and memory as JSON."""
    decoded, decode = multiprocessing.Value("q", 0), Files.decode

    def counted(files: Files, path: str, **options: bool) -> Picture:
        with decoded.get_lock():
            decoded.value += 1
        return decode(files, path, **options)

    Files.decode = counted  # type: ignore[method-assign, assignment]
    imported = time.perf_counter()
    task = load_task(f"folder:{folder}", cache_dir=cache)
    ended = time.perf_counter()
    batch = next(task.train.batches(64))
    print(
        json.dumps(
            {
                "load_s": ended - imported,
                "decoded": decoded.value,
                "private_mib": _private_mib(),
                "kind": type(task.train).__name__,
                "shown": list(batch.images.shape),
            }
        )
    )


def _private_mib() -> float:
    """Return the memory of this process without mapped files, whose memory the system takes back."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


def cores(folder: Path) -> float:
    """Images a second that the cores decode, with nothing else to do."""
    paths = sorted(folder.glob("train/*/*.jpg"))
    paths = paths[:: max(1, len(paths) // SAMPLE)]
    with multiprocessing.Pool() as pool:
        pool.map(_decode, paths[:64])
        began = time.perf_counter()
        pool.map(_decode, paths, chunksize=64)
        return len(paths) / (time.perf_counter() - began)


def _decode(path: Path) -> None:
    Files((), 3, SIZE, SIZE).decode(str(path))


def started(folder: Path, cache: Path, at_once: int = 1) -> list[dict[str, Any]]:
    """Return the results of `start` in so many processes at once."""
    words = [sys.executable, "-m", "benchmarks.big_folder", "--start", str(folder), str(cache)]
    began = time.perf_counter()
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(at_once)]
    return [{**json.loads(one.communicate()[0]), "whole_s": time.perf_counter() - began} for one in running]


def rows(folder: Path, images: int) -> Iterator[Row]:
    """Measure every bar on the folder of so many images."""
    caches = [folder / f"cache-{number}" for number in range(3)]
    for cache in caches:
        shutil.rmtree(cache, ignore_errors=True)
    try:
        rate = (cores(folder / "all") + cores(folder / "all")) / 2
        (first,) = started(folder / "all", caches[0])
        got = images / first["load_s"]
        yield Row(
            f"first start, {images:,} JPEGs of {SIZE} pixels: decoded, surveyed, kept",
            "at least 90 % of the images a second that the cores decode",
            f"{got:,.0f} images/s in {first['load_s']:.0f} s, the cores decode {rate:,.0f} ({got / rate:.0%})",
            got >= 0.9 * rate,
        )
        (again,) = started(folder / "all", caches[0])
        yield Row(
            "second start",
            "under 5 s, decodes nothing",
            f"{again['load_s']:.1f} s, {again['whole_s']:.1f} s with imports; {again['decoded']:,} decoded",
            again["load_s"] < 5 and not again["decoded"],
        )
        shutil.rmtree(caches[0])
        every = started(folder / "all", caches[1], 1 + WORKERS)
        decoded = sum(one["decoded"] for one in every)
        yield Row(
            f"a driver and {WORKERS} workers that start at once",
            "each image decoded once",
            f"{decoded:,} decoded, {max(one['load_s'] for one in every):.0f} s",
            decoded == images,
        )
        shutil.rmtree(caches[1])
        (tenth,) = started(folder / "tenth", caches[2])
        yield Row(
            f"memory of the process without mapped files, {images:,} images against {images // 10:,}",
            "flat: at most a tenth more, but for the names",
            f"{first['private_mib']:,.0f} and {tenth['private_mib']:,.0f} MiB",
            first["private_mib"] <= 1.1 * tenth["private_mib"] + images * NAME_BYTES / 2**20,
        )
    finally:
        for cache in caches:
            shutil.rmtree(cache, ignore_errors=True)


def main() -> None:
    """Draw the images, measure, and write the table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--images", type=int, default=200_000)
    asked.add_argument("--folder", type=Path, default=Path("build/big-folder"))
    asked.add_argument("--out", type=Path, default=RESULTS)
    asked.add_argument("--start", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.start:
        return start(*given.start)
    draw(given.folder / "all", given.images)
    draw(given.folder / "tenth", given.images // 10)
    found = []
    for row in rows(given.folder, given.images):
        found.append(row)
        print(f"{row.what}: {row.got} (bar: {row.bar})", flush=True)
    given.out.write_text(f"# A big folder\n\n`python -m benchmarks.big_folder`\n\n{table(found)}\n\nOn {machine()}.\n")
    return None


if __name__ == "__main__":
    main()
