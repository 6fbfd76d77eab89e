"use strict";
// The budget and the pick, as `search/amount.py`, `search/budget.py` and `search/choice.py` have them, preferring
// accuracy. Rows number the columns of `study.rows`.

const rows = study.rows;
const count = rows.trial.length;
const all = Array.from({ length: count }, (_, row) => row);
rows.flops = rows.macs.map((macs) => 2 * macs);
study.seeds.flops = study.seeds.macs.map((macs) => 2 * macs);

const ROUNDING = 1e-9; // 29 % of 100 is 28.999999999999996 in floats
const BOUNDS = { // in the order in which `search.budget.Budget` has them
  max_params: "params", max_macs: "macs", max_size_bytes: "size_bytes", max_latency_ms: "latency_ms",
  min_accuracy: "validation",
};
const SUFFIXES = { "": 1, k: 1e3, M: 1e6, G: 1e9 };

function option(name) {
  return name.replaceAll("_", "-");
}

/** A written amount of a bound as a number; an Error with a sentence for anything else. */
function amount(text, name) {
  const match = /^(\d+\.?\d*|\.\d+)\s*([kMG%]?)$/.exec(text.trim());
  const number = match ? Number(match[1]) : Infinity;
  if (!Number.isFinite(number)) throw new Error("a number with k, M or G, or a share such as 10%");
  if (match[2] !== "%") {
    const value = number * SUFFIXES[match[2]];
    if (name === "min_accuracy" && value > 1) throw new Error("a number in [0, 1], or a share such as 97%");
    return value;
  }
  if (study.teacher === null) throw new Error("a number: shares are of the teacher, and none is measured yet");
  const value = (number / 100) * rows[BOUNDS[name]][study.teacher];
  if (name === "min_accuracy" && value > 1) throw new Error("a share that is not over 1");
  return value;
}

/** By which bounds a row misses, and by how much; costs relative, accuracy absolute, `total` all relative. */
function miss(row, bounds) {
  const over = {};
  let total = 0;
  for (const [name, figure] of Object.entries(BOUNDS)) {
    if (!(name in bounds)) continue;
    const limit = bounds[name], has = rows[figure][row];
    const beyond = name === "min_accuracy" ? limit - has : has - limit;
    if (beyond <= ROUNDING * limit) continue;
    const relative = limit ? beyond / limit : Infinity;
    over[name] = name === "min_accuracy" ? beyond : relative;
    total += relative;
  }
  return { row, over, total };
}

/** Below 0 where row a is the better one; in accuracy itself they may be equal. */
function compare(a, b) {
  return rows.validation[b] - rows.validation[a] || rows.params[a] - rows.params[b] ||
    rows.macs[a] - rows.macs[b] || rows.size_bytes[a] - rows.size_bytes[b];
}

/** What `bounds` (numbers by name) let one choose: `fits` says it of every row, `best` is null where nothing does. */
function choose(bounds) {
  const judged = all.map((row) => miss(row, bounds));
  const fits = judged.map((one) => Object.keys(one.over).length === 0);
  let best = null;
  for (const row of all) if (fits[row] && (best === null || compare(row, best) < 0)) best = row;
  const misses = judged.filter((one) => !fits[one.row]).sort((a, b) => a.total - b.total);
  if (best === null) return { fits, best, binding: [], more: null, misses: misses.slice(0, 3) };
  const better = misses.filter((one) => rows.validation[one.row] > rows.validation[best]);
  const alone = better.map((one) => Object.keys(one.over)).filter((names) => names.length === 1).flat();
  const binding = alone.length ? [...new Set(alone)] : Object.keys(better[0]?.over ?? {});
  return { fits, best, binding, more: better[0] ?? null, misses: [] };
}

/** The command that takes exactly this pick; `texts` are amounts as they were typed, by bound. */
function command(texts) {
  const bounds = Object.entries(texts).map(([name, text]) => ` --${option(name)} ${text.replace(/\s/g, "")}`);
  return `paretune select ${study.quoted}${bounds.join("")}`;
}
