"use strict";
// The budget and the pick, preferring quality: a copy of `amount.py`, `budget.py` and `selection.py` of
// `search/selection/`. A row is an index into the columns of `study.rows`; a row with several seeds is judged by its mean.

const rows = study.rows, quality = study.quality;
const count = rows.trial.length;
const all = Array.from({ length: count }, (_, row) => row);
const COSTS = Object.fromEntries(study.costs.map((cost) => [cost.name, cost])); // the table of `compress/figures.py`
for (const { name, of, times } of study.costs.filter((cost) => cost.of)) {
  for (const each of [rows, study.seeds]) each[name] = each[of].map((figure) => times * figure);
}
/** Return the value of a score, in the quality's own unit; of a share score and value are equal. */
const valueOf = (score) => (quality.zero === 0 && quality.one === 1 ? score : quality.zero + score * (quality.one - quality.zero));
/** Return a difference of scores as a difference of values. */
const amountOf = (scores) => scores * Math.abs(quality.one - quality.zero);
for (const each of [rows, study.seeds]) {
  each.score = each.validation; // of models: the larger is the better one
  each.validation = each.score.map(valueOf);
  each.test = each.test.map(valueOf);
}
if (study.whole !== null) study.whole.validation = valueOf(study.whole.validation);
const members = {}; // by row with several seeds: places in `study.seeds`, the study's own seed first
study.seeds.row.forEach((row, at) => (members[row] ??= []).push(at));

const ROUNDING = 1e-9; // 29 % of 100 is 28.999999999999996 in floats
const AS_NEAR = 2e-9; // a mean is rounded to nine digits
const BOUNDS = study.bounds; // figures by bound
const SUFFIXES = { "": 1, k: 1e3, M: 1e6, G: 1e9 };
const isQuality = (name) => name === quality.bound;
const isLeast = (name) => isQuality(name) && quality.higher;

function option(name) {
  return name.replaceAll("_", "-");
}

/** Parse the typed amount of a bound, like "1.5M" or "10%"; throw an Error with a sentence for any other text. */
function amount(text, name) {
  const match = /^(-?)(\d+\.?\d*|\.\d+)\s*([kMG%]?)$/.exec(text.trim());
  const number = match ? Number(match[2]) : Infinity;
  const negative = match?.[1] && (match[3] === "%" || !isQuality(name) || name === "min_accuracy");
  if (!Number.isFinite(number) || negative) {
    const kind = isQuality(name) ? "a number, or a share of the teacher's such as 97%" : "a number with k, M or G, or a share such as 10%";
    throw new Error(kind);
  }
  if (!isQuality(name) && number === 0) throw new Error("an amount above 0");
  const tooHigh = (value) => isLeast(name) && value > quality.one;
  if (match[3] !== "%") {
    const value = (match[1] ? -number : number) * SUFFIXES[match[3]];
    if (tooHigh(value)) throw new Error(`a number in [0, ${quality.one}], or a share such as 97%`);
    return value;
  }
  if (study.whole === null) throw new Error("a number: shares are of the teacher, and none is measured yet");
  const value = (number / 100) * study.whole[BOUNDS[name]];
  if (tooHigh(value)) throw new Error(`a share that is not over ${quality.one}`);
  if (value < 0) throw new Error(`a number: the teacher's ${quality.name} is below 0`);
  return value;
}

function isWithin(name, has, limit) {
  return (isLeast(name) ? limit - has : has - limit) <= ROUNDING * Math.abs(limit);
}

/** Return the excess over every bound the figures miss, by name: of costs relative, of quality absolute. */
function beyond(figures, at, bounds) {
  const over = {};
  for (const [name, figure] of Object.entries(BOUNDS)) {
    if (!(name in bounds)) continue;
    const limit = bounds[name], has = figures[figure][at];
    if (!isWithin(name, has, limit)) over[name] = isQuality(name) ? Math.abs(limit - has) : (has - limit) / limit;
  }
  return over;
}

/** Return the sum of all excesses, each relative to its bound. */
function sum(over, bounds) {
  const relative = (name) => (isQuality(name) ? over[name] / (Math.abs(bounds[name]) || 1) : over[name]);
  return Object.keys(over).reduce((total, name) => total + relative(name), 0);
}

/**
 * Judge a row: `over` is its excess by bound, `total` their sum, `shipped` the place of the shipped seed in `study.seeds`,
 * null for a row with a single seed. The shipped seed has the least total; among equals the quality nearest to the mean,
 * then the worst. Costs are the shipped seed's, quality is the worse of the mean and the shipped seed's.
 */
function miss(row, bounds) {
  let over = beyond(rows, row, bounds), shipped = null;
  if (rows.count[row] > 1) {
    const totals = members[row].map((at) => sum(beyond(study.seeds, at, bounds), bounds)), least = Math.min(...totals);
    shipped = nearest(members[row].filter((_, i) => totals[i] === least), row);
    const name = quality.bound, mean = over[name] ?? 0;
    over = beyond(study.seeds, shipped, bounds);
    if (mean > (over[name] ?? 0)) over[name] = mean;
  }
  return { row, over, total: sum(over, bounds), shipped };
}

function nearest(seeds, row) {
  const of = study.seeds.score, away = seeds.map((at) => Math.abs(of[at] - rows.score[row]));
  const near = seeds.filter((_, i) => away[i] <= Math.min(...away) + AS_NEAR);
  return near.reduce((least, at) => (of[at] < of[least] ? at : least));
}

/** Return a figure of the model shipped for a judged row. */
function figureOf(one, name) {
  return one.shipped === null ? rows[name][one.row] : study.seeds[name][one.shipped];
}

/** Compare two judged rows: negative if a is better, by quality, then params, MACs and bytes. */
function compare(a, b) {
  const by = (name) => figureOf(a, name) - figureOf(b, name);
  return study.ties.reduce((apart, name) => apart || by(name), rows.score[b.row] - rows.score[a.row]);
}

/** Judge every row; `first` is the best row within the bounds, null without any. */
function judge(bounds) {
  const judged = all.map((row) => miss(row, bounds)), within = judged.filter((one) => one.total === 0);
  return { judged, first: within.reduce((best, one) => (best === null || compare(one, best) < 0 ? one : best), null) };
}

/**
 * Choose within `bounds` (numbers by name). `fits` tells for every row whether the row is within the bounds, `best` is the
 * best row or null, `shipped` its shipped seed as in `miss`, `binding` the bounds keeping a better model out. `more` is the
 * model to be had for the smallest increase of the budget, `misses` are the nearest rows if no row fits; in both, `needs`
 * has the amounts to type.
 */
function choose(bounds) {
  const { judged, first } = judge(bounds), fits = judged.map((one) => one.total === 0);
  const misses = judged.filter((one) => one.total > 0).sort((a, b) => a.total - b.total || compare(a, b));
  if (first === null) {
    return { fits, best: null, shipped: null, binding: [], more: null, misses: misses.slice(0, 3).map(told) };
  }
  const better = misses.filter((one) => rows.score[one.row] > rows.score[first.row]);
  const alone = better.map((one) => Object.keys(one.over)).filter((names) => names.length === 1).flat();
  const binding = alone.length ? [...new Set(alone)] : Object.keys(better[0]?.over ?? {});
  return { fits, best: first.row, shipped: first.shipped, binding, more: better.length ? bought(better[0], bounds) : null,
    misses: [] };
}

/** Return the pick once the bounds are widened just enough to admit a judged row, with the row's `over` and `needs`. */
function bought(one, bounds) {
  const wider = Object.fromEntries(Object.keys(one.over).map((name) => [name, held(one, name)]));
  return { ...told(one), row: judge({ ...bounds, ...wider }).first.row };
}

/** Return the command for the same pick; `texts` are the amounts as typed, by bound. */
function command(texts) {
  const bounds = Object.entries(texts).map(([name, text]) => ` --${option(name)} ${text.replace(/\s/g, "")}`);
  return `paretune select ${study.quoted}${bounds.join("")}`;
}
