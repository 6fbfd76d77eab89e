"use strict";
// The budget and the pick, as `search/amount.py`, `search/budget.py` and `search/choice.py` have them, preferring
// accuracy; of a model made with several seeds the mean is weighed. Rows number the columns of `study.rows`.

const rows = study.rows;
const count = rows.trial.length;
const all = Array.from({ length: count }, (_, row) => row);
const COSTS = Object.fromEntries(study.costs.map((one) => [one.name, one])); // as `compress/figures.py` has them
for (const { name, of, times } of study.costs.filter((one) => one.of)) {
  for (const each of [rows, study.seeds]) each[name] = each[of].map((figure) => times * figure);
}
const members = {}; // of rows that stand for several seeds, the study's own first
study.seeds.row.forEach((row, at) => (members[row] ??= []).push(at));

const ROUNDING = 1e-9; // 29 % of 100 is 28.999999999999996 in floats
const AS_NEAR = 2e-9; // a mean is rounded to nine digits
const BOUNDS = study.bounds; // figures by bound
const SUFFIXES = { "": 1, k: 1e3, M: 1e6, G: 1e9 };

function option(name) {
  return name.replaceAll("_", "-");
}

/** A written amount of a bound as a number; an Error with a sentence for anything else. */
function amount(text, name) {
  const match = /^(\d+\.?\d*|\.\d+)\s*([kMG%]?)$/.exec(text.trim());
  const number = match ? Number(match[1]) : Infinity;
  if (!Number.isFinite(number)) throw new Error("a number with k, M or G, or a share such as 10%");
  if (name !== "min_accuracy" && number === 0) throw new Error("an amount above 0");
  if (match[2] !== "%") {
    const value = number * SUFFIXES[match[2]];
    if (name === "min_accuracy" && value > 1) throw new Error("a number in [0, 1], or a share such as 97%");
    return value;
  }
  if (study.whole === null) throw new Error("a number: shares are of the teacher, and none is measured yet");
  const value = (number / 100) * study.whole[BOUNDS[name]];
  if (name === "min_accuracy" && value > 1) throw new Error("a share that is not over 1");
  return value;
}

function isWithin(name, has, limit) {
  return (name === "min_accuracy" ? limit - has : has - limit) <= ROUNDING * limit;
}

/** By which bounds figures miss, and by how much: costs relative, accuracy absolute. */
function beyond(figures, at, bounds) {
  const over = {};
  for (const [name, figure] of Object.entries(BOUNDS)) {
    if (!(name in bounds)) continue;
    const limit = bounds[name], has = figures[figure][at];
    if (!isWithin(name, has, limit)) over[name] = name === "min_accuracy" ? limit - has : (has - limit) / limit;
  }
  return over;
}

/** The sum of what misses, all relative. */
function sum(over, bounds) {
  const relative = (name) => (name !== "min_accuracy" ? over[name] : over[name] / bounds[name]);
  return Object.keys(over).reduce((total, name) => total + relative(name), 0);
}

/**
 * What a row misses. Of several seeds the mean is weighed, and the one is shipped that misses least and then is nearest
 * to the mean, of those as near the least accurate: `shipped` is its place in `study.seeds`, whose costs count.
 */
function miss(row, bounds) {
  let over = beyond(rows, row, bounds), shipped = null;
  if (rows.count[row] > 1) {
    const totals = members[row].map((at) => sum(beyond(study.seeds, at, bounds), bounds)), least = Math.min(...totals);
    shipped = nearest(members[row].filter((_, i) => totals[i] === least), row);
    const mean = over.min_accuracy ?? 0;
    over = beyond(study.seeds, shipped, bounds);
    if (mean > (over.min_accuracy ?? 0)) over.min_accuracy = mean;
  }
  return { row, over, total: sum(over, bounds), shipped };
}

function nearest(seeds, row) {
  const of = study.seeds.validation, away = seeds.map((at) => Math.abs(of[at] - rows.validation[row]));
  const near = seeds.filter((_, i) => away[i] <= Math.min(...away) + AS_NEAR);
  return near.reduce((least, at) => (of[at] < of[least] ? at : least));
}

/** A figure of what ships of a row as `miss` has it. */
function figureOf(one, name) {
  return one.shipped === null ? rows[name][one.row] : study.seeds[name][one.shipped];
}

/** Below 0 where a is the better one of two as `miss` has them; in accuracy itself they may be equal. */
function compare(a, b) {
  const by = (name) => figureOf(a, name) - figureOf(b, name);
  return study.ties.reduce((apart, name) => apart || by(name), rows.validation[b.row] - rows.validation[a.row]);
}

/** Every row as of `miss`, and the best one that misses nothing, null if there is none. */
function judge(bounds) {
  const judged = all.map((row) => miss(row, bounds)), within = judged.filter((one) => one.total === 0);
  return { judged, first: within.reduce((best, one) => (best === null || compare(one, best) < 0 ? one : best), null) };
}

/**
 * What `bounds` (numbers by name) let one choose: `fits` says it of every row, `best` is null where nothing does,
 * `shipped` as of `miss`. Of `misses` and of `more`, what the least of a larger budget buys, `needs` is what to type.
 */
function choose(bounds) {
  const { judged, first } = judge(bounds), fits = judged.map((one) => one.total === 0);
  const misses = judged.filter((one) => one.total > 0).sort((a, b) => a.total - b.total || compare(a, b));
  if (first === null) {
    return { fits, best: null, shipped: null, binding: [], more: null, misses: misses.slice(0, 3).map(told) };
  }
  const better = misses.filter((one) => rows.validation[one.row] > rows.validation[first.row]);
  const alone = better.map((one) => Object.keys(one.over)).filter((names) => names.length === 1).flat();
  const binding = alone.length ? [...new Set(alone)] : Object.keys(better[0]?.over ?? {});
  return { fits, best: first.row, shipped: first.shipped, binding, more: better.length ? bought(better[0], bounds) : null,
    misses: [] };
}

/** What is picked when the bounds are just so wide that this one is within them, with what that one is over and needs. */
function bought(one, bounds) {
  const wider = Object.fromEntries(Object.keys(one.over).map((name) => [name, held(one, name)]));
  return { ...told(one), row: judge({ ...bounds, ...wider }).first.row };
}

/** The command that takes exactly this pick; `texts` are amounts as they were typed, by bound. */
function command(texts) {
  const bounds = Object.entries(texts).map(([name, text]) => ` --${option(name)} ${text.replace(/\s/g, "")}`);
  return `paretune select ${study.quoted}${bounds.join("")}`;
}
