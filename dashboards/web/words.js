// Numbers and models in words. Texts of the study go into the page as text, into figures through `plain`.

const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const number = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const three = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const up = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, roundingMode: "ceil" });
const percent = (share, digits = 2) => `${(100 * share).toFixed(digits)}%`;
/** A cost as it is shown: whole, or to three digits. */
const costText = (name, value) => (COSTS[name].whole ? number : three).format(value);

function label(row) {
  const variant = study.words.variant[rows.variant[row]];
  const bits = variant === "float" ? "" : ` (${variant})`;
  return `trial ${rows.trial[row]} at ${three.format(100 * rows.sparsity[row])} %${bits}`;
}

/** Write a value of the quality, or a difference of values, without the unit: as `graded` in `compress/figures.py`. */
function graded(value) {
  if (quality.form === "percent") return percent(value);
  return quality.form === "share" ? value.toFixed(4) : four(value);
}

const four = (value) => String(Number(value.toPrecision(4)));
const unit = quality.unit || quality.name;
/** Validation and test in words; of accuracy the name is left out. */
const both = (validation, test) =>
  `${quality.form === "percent" ? "" : `${quality.title}: `}validation ${validation}, test ${test}`;

function onValidation(row) {
  const margin = rows.margin[row] === null ? "" : ` ± ${graded(amountOf(rows.margin[row]))}`;
  return graded(rows.validation[row]) + margin;
}

function onTest(row) {
  const spread = rows.spread[row] === null ? "" : ` ± ${graded(amountOf(rows.spread[row]))} (${rows.count[row]} seeds)`;
  return graded(rows.test[row]) + spread;
}

/** Break a text between words, into lines of at most 60 characters. */
function wrapped(text) {
  return text.replace(/(.{1,60})(?:, |$)/g, (line) => `${line.trimEnd()}\n`).trim().split("\n");
}

function hover(row) {
  const costs = study.costs.filter((one) => one.main).map(({ name, unit }) => `${costText(name, rows[name][row])} ${unit}`);
  return [
    `<b>${plain(label(row))}</b>`,
    plain(both(onValidation(row), onTest(row))),
    costs.slice(0, 2).join(", "),
    costs.slice(2).join(", "),
    ...wrapped(study.words.recipe[rows.recipe[row]]).map(plain),
  ].join("<br>");
}

/**
 * Write a bound in three digits, of a share in four decimals. An upper bound is rounded up and a lower one down: the bound
 * still admits a model of that value.
 */
function written(value, name) {
  if (isQuality(name) && quality.form !== "value") return trimmed((Math.floor(1e4 * value + 1e-9) / 1e4).toFixed(4));
  if (!(value > 0)) return "0";
  const [suffix, scale] = Object.entries(SUFFIXES).reverse().find(([, size]) => value >= size) ?? ["", 1];
  const shown = value / scale, digits = 2 - Math.floor(Math.log10(shown) + 1e-12), times = shown * 10 ** digits;
  const whole = isLeast(name) ? Math.floor(times * (1 + 1e-12)) : Math.ceil(times * (1 - 1e-12));
  return trimmed((whole / 10 ** digits).toFixed(Math.max(0, digits))) + suffix;
}

const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

/** Name a bound in a sentence: a bound on the quality by the quality's own name, any other as typed. */
const bounded = (name) => (isQuality(name) ? quality.name : option(name));

/** Say by how much a row misses each bound, rounded up, and the amounts it needs. */
function missed({ row, over, needs }) {
  const by = ([name, share]) => {
    if (isQuality(name) && quality.form !== "percent") return `${bounded(name)} by ${up.format(share)} ${quality.unit}`.trim();
    return `${bounded(name)} by ${up.format(Math.round(1e11 * share) / 1e9)} ${isQuality(name) ? "points" : "%"}`;
  };
  const needed = Object.keys(needs).length ? ` (needs ${typed(needs, " ")})` : "";
  return `${label(row)} misses ${Object.entries(over).map(by).join(", ")}${needed}`;
}
