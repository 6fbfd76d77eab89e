"""Bad input as tables: what is asked for, as the functions take it, and a part of the sentence that refuses it."""

from __future__ import annotations

import math
from typing import Any

NAME = "study name must begin with a letter or digit"
AMOUNT = "expected a number with k, M or G, or a share such as 10%, got"
LISTS = ("front", "trials", "breakpoints", "select", "report", "sync", "clean")
"""Verbs that take a study."""

HOSTILE = ("../../x", "<script>", ".", "..", "-rf", "a\nb", "a\0b", "", "é", "x" * 1_000_000)

SEARCHES: list[tuple[dict[str, Any], str]] = [
    ({"trials": 10**12}, "trials must be at most 1000000, got 1000000000000"),
    ({"trials": 10**400}, "trials must be at most 1000000, got 1000"),
    ({"trials": -(10**400)}, "trials must be at least 1, got -1000"),
    ({"cpus_per_trial": 10**6}, "cpus-per-trial must be at most 10000, got 1000000"),
    ({"cpus_per_trial": 9999}, "cpus-per-trial must be at most "),
    ({"gpus_per_trial": math.nan}, "gpus-per-trial must be at least 0, got nan"),
    ({"gpus_per_trial": math.inf}, "gpus-per-trial must be at least 0, got inf"),
    ({"gpus_per_trial": 1.5}, "gpus-per-trial must be whole where it is over 1, got 1.5"),
    ({"seed": 2**32}, "seed must be at most 4294967295, got 4294967296"),
    ({"time_budget_s": math.inf}, "time-budget must be at least 1, got inf"),
    ({"time_budget_s": -math.inf}, "time-budget must be at least 1, got -inf"),
    ({"seeds": 0}, "seeds must be at least 1, got 0"),
    ({"seeds": 101}, "seeds must be at most 100, got 101"),
    ({"trial_limit_s": 0.5}, "trial-limit must be at least 1, got 0.5"),
    ({"trial_limit_s": math.nan}, "trial-limit must be at least 1, got nan"),
    ({"space": ""}, "space: unknown '', known are aghli2021"),
    ({"space": "\x1b[31mred"}, r"space: unknown '\x1b[31mred', known are"),
    ({"space": "x" * 1_000_000}, "space: unknown 'xxx"),
    ({"space": "malihi2023", "students": ("cnn",)}, "student: malihi2023 is about models of its own, got 'cnn'"),
    ({"task": ""}, "task: unknown ''"),
    ({"task": "folder:"}, "a folder train/ with one folder a class must be there, got none"),
    ({"task": "folder:\0"}, "a folder train/ with one folder a class must be there, got none"),
    ({"task": "folder:~nobody-of-that-name/x"}, "~nobody-of-that-name/x: a folder train/ with one folder a class"),
    ({"task": "folder:" + "x" * 5000}, "a folder train/ with one folder a class must be there, got none"),
    ({"objectives": ("accuracy", "accuracy")}, "objectives: need at least two different names, got accuracy, accuracy"),
    ({"objectives": ("accuracy", "")}, "objectives: unknown '', known are accuracy"),
    ({"students": ("",)}, "model: unknown '', known are alexnet"),
    ({"students": ("cnn", "cnn")}, "student: each must have a name and a file name of its own, got 'cnn' twice"),
    ({"students": ("nowhere:net",)}, "nowhere:net: nowhere must be importable, from the current folder or PYTHONPATH"),
    ({"students": ("cnn@gone.pt",)}, "gone.pt must be readable, on every node that runs trials, got No such file"),
    ({"students": ("cnn@\0.pt",)}, "must be readable, on every node that runs trials, got embedded null byte"),
    ({"teachers": ("cnn@x.bin",)}, "cnn: weights must be a file .safetensors, .pt, .pth or torchvision:NAME, got"),
    ({"sampler": "cma"}, "sampler: unknown 'cma', known are auto, tpe, gp, nsga2, random"),
    ({"start_from": "../x"}, NAME),
    ({"start_from": "gone"}, "study gone: there is none in"),
    ({"max_params": "12q"}, f"max-params: {AMOUNT} '12q'"),
    ({"max_flops": "-5"}, f"max-flops: {AMOUNT} '-5'"),
    ({"max_macs": "nan"}, f"max-macs: {AMOUNT} 'nan'"),
    ({"min_accuracy": "97"}, "min-accuracy: expected a number in [0, 1], or a share of the teacher's"),
    ({"tracking_uri": ""}, "tracking URI must begin with one of sqlite, http"),
    ({"tracking_uri": "sqlite:///"}, "tracking URI must name a file, sqlite:///PATH, got 'sqlite:///'"),
    ({"tracking_uri": "sqlite:////proc/x/m.db"}, "tracking URI must name an MLflow database, sqlite:////proc/x/m.db"),
    ({"tracking_uri": "http://[::1"}, "tracking URI must name a running MLflow server, http://[::1 says: Invalid IPv6"),
    ({"tracking_uri": "http://x\ny"}, "tracking URI must name a running MLflow server"),
    ({"storage_url": ""}, "storage-url: cannot open ''"),
    ({"storage_url": "sqlite://"}, "storage-url must name a database that lasts, such as sqlite:///PATH, got 'sqlite"),
    ({"storage_url": "sqlite:///:memory:"}, "storage-url must name a database that lasts, such as sqlite:///PATH"),
    ({"storage_url": "sqlite:////proc/x/o.db"}, "storage-url: cannot open 'sqlite:////proc/x/o.db'"),
    ({"storage_url": "postgresql://me:secret@127.0.0.1:1/x"}, "storage-url: cannot open 'postgresql://127.0.0.1:1/x'"),
    ({"store": "foo://x"}, "store must be a folder or BUCKET/PREFIX at s3, gs, abfs://, got foo://x"),
    ({"store": "s3://"}, "store must be a folder or BUCKET/PREFIX at s3, gs, abfs://, got s3://"),
    ({"store": "/dev/null/models"}, "store must be a folder, got /dev/null/models: /dev/null is a file"),
    ({"store": ""}, "store must be a folder or a URL, got ''"),
    ({"store": "x\0y"}, "store must be writable"),
    ({"storage_url": "redis://x"}, "storage-url: cannot open 'redis://x'"),
    ({"address": ""}, "address must name a Ray cluster, such as auto or HOST:PORT, got ''"),
    ({"address": "127.0.0.1:99999"}, "address: no Ray cluster answers at '127.0.0.1:99999'"),
    ({"address": "x" * 100_000 + ":80"}, "address: no Ray cluster answers at 'xxx"),
    ({"home": "file"}, "home must be a folder, got file: file is a file"),
    ({"home": "file/below"}, "home must be a folder, got file/below: "),
    ({"home": "/proc/below"}, "home must be writable, got /proc/below: "),
    ({"home": "x" * 5000}, "home must be writable, got xxx"),
    ({"name": "made"}, "study made: exists already in "),
    ({"name": "lost", "resume": True}, "study lost: there is none in "),
    ({"name": "newer", "resume": True}, "study newer: written by a newer version, 9 > 1"),
    ({"name": "newer"}, "study newer: written by a newer version, 9 > 1"),
    ({"name": "plain"}, "home must be writable, got "),
    *[({"name": name}, NAME) for name in HOSTILE],
]  # fmt: skip
UNTYPED: list[tuple[dict[str, Any], str]] = [
    ({"trials": 2.5}, "trials must be a whole number, got 2.5"),
    ({"trials": "24"}, "trials must be a whole number, got '24'"),
    ({"trials": True}, "trials must be a whole number, got True"),
    ({"seed": None}, "seed must be a whole number, got None"),
    ({"gpus_per_trial": "half"}, "gpus-per-trial must be a number, got 'half'"),
    ({"time_budget_s": "soon"}, "time-budget must be a number, got 'soon'"),
    ({"name": None}, "study name must begin with a letter or digit"),
    ({"name": 5}, "study name must begin with a letter or digit"),
    ({"home": "fi\0le"}, "home must be writable, got fi"),
]
"""What only a function can be called with."""
LEDGERS = {
    "folder": "study folder: must have a file ",
    "newer": "study newer: written by a newer version, 9 > 1",
    "strange": "ledger.jsonl must be whole, got an event that does not fit those before it (TypeError: ",
    "orphan": "ledger.jsonl must be whole, got an event that does not fit those before it (KeyError: 7)",
    "short": "ledger.jsonl must be whole, got an event that does not fit those before it (KeyError: 'task')",
    "figures": "ledger.jsonl must be whole, got an event that does not fit those before it (TypeError: ",
    "headless": "ledger.jsonl must begin with the study's own event, got none",
    "lost": "study lost: there is none in ",
    "a\nb": NAME,
    "<script>": NAME,
}
BOUNDS: list[tuple[dict[str, str], str]] = [
    ({"max_params": "12q"}, f"max-params: {AMOUNT} '12q'"),
    ({"max_params": "1e400"}, f"max-params: {AMOUNT} '1e400'"),
    ({"max_params": "9" * 400}, f"max-params: {AMOUNT} '999"),
    ({"max_macs": "9" * 300 + "G"}, "amount: expected a finite number of at least 0, got inf"),
    ({"max_flops": "٣"}, f"max-flops: {AMOUNT} '٣'"),
    ({"max_size_bytes": "\x1b[1m"}, rf"max-size-bytes: {AMOUNT} '\x1b[1m'"),
    ({"max_latency_ms": "-5"}, f"max-latency-ms: {AMOUNT} '-5'"),
    ({"min_accuracy": "nan"}, f"min-accuracy: {AMOUNT} 'nan'"),
    ({"min_accuracy": "97"}, "min-accuracy: expected a number in [0, 1], or a share of the teacher's such as 97%"),
    ({"min_accuracy": "201%"}, "min-accuracy: 201% of the teacher's 0.5 is over 1"),
]
FORMATS: list[tuple[str, str]] = [
    ("tflite", "format: unknown 'tflite', known are onnx, pt2, safetensors"),
    ("pt2,", "format: unknown '', known are onnx, pt2, safetensors"),
    ("", "format: unknown '', known are onnx, pt2, safetensors"),
    ("PT2", "format: unknown 'PT2', known are onnx, pt2, safetensors"),
    ("../x", "format: unknown '../x', known are onnx, pt2, safetensors"),
    ("\x1b[1m", r"format: unknown '\x1b[1m', known are onnx, pt2, safetensors"),
]
SELECTS: list[tuple[dict[str, Any], str]] = [
    ({"reseed": 1}, "reseed must be at least 2, got 1"),
    ({"reseed": -3}, "reseed must be at least 2, got -3"),
    ({"reseed": 101}, "reseed must be at most 100, got 101"),
    ({"reseed": 10**400}, "reseed must be at most 100, got 1000"),
    ({"reseed": 2, "address": ""}, "address must name a Ray cluster, such as auto or HOST:PORT, got ''"),
    ({"reseed": 2, "address": "127.0.0.1:99999"}, "address: no Ray cluster answers at '127.0.0.1:99999'"),
    ({"reseed": 2, "tracking_uri": "nonsense"}, "tracking URI must begin with one of sqlite, http"),
    ({"reseed": 2, "max_params": "12q"}, f"max-params: {AMOUNT} '12q'"),
    ({"reseed": 2}, "reseed: trial 0 was made by another version or of other data, so its like cannot be made"),
    ({"robust": True}, "robust: needs models made with several seeds, and none within the budget is; add --reseed 3"),
    ({"top": 0}, "top must be at least 1, got 0"),
    ({"prefer": "beauty"}, "prefer: unknown 'beauty', known are accuracy, params, latency, knee"),
]
EXPORTS = {
    "file": "export: file must be a folder, it is a file",
    "file/below": "export: file/below must be a folder, ",
    "full": "export: full must be empty or an earlier export, it holds other files",
    "new": "written by a newer version, 99; this one reads 1",
}
