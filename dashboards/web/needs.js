// The amount to type for a bound so that a model is within it, as `search/needs.py` has it: as short as lets in that one
// and none that is beyond.

const FEWEST = 3, EXACT = 16; // digits

/** What a bound is held against; of accuracies the mean or that of the seed that ships, the lower. */
function held(one, name) {
  const ships = figureOf(one, BOUNDS[name]);
  return name === "min_accuracy" ? Math.min(rows.validation[one.row], ships) : ships;
}

/** A row as of `miss`, with the amount by bound that it misses. */
function told(one) {
  return { ...one, needs: Object.fromEntries(Object.keys(one.over).map((name) => [name, shortest(name, held(one, name))])) };
}

function shortest(name, value) {
  const least = name === "min_accuracy", figure = BOUNDS[name];
  if (value === 0 || (!least && Number.isInteger(value))) return String(value);
  const single = all.filter((row) => least || rows.count[row] === 1).map((row) => rows[figure][row]);
  const beyond = [...single, ...study.seeds[figure]].filter((one) => !isWithin(name, one, value));
  const next = beyond.reduce((a, b) => (least === a > b ? a : b), least ? -Infinity : Infinity);
  for (let digits = FEWEST; digits < EXACT; digits++) {
    const text = rounded(value, digits, least ? Math.floor : Math.ceil);
    if (!isWithin(name, next, Number(text))) return text;
  }
  return rounded(value, EXACT, Math.round);
}

/** To so many significant digits; what is off by less than a float can tell stays. */
function rounded(value, digits, how) {
  const decimals = digits - 1 - Math.floor(Math.log10(value)), scaled = value * 10 ** decimals, whole = Math.round(scaled);
  const kept = Math.abs(scaled - whole) < 1e-12 * scaled ? whole : how(scaled);
  return trimmed((kept / 10 ** decimals).toFixed(Math.max(0, decimals)));
}

/** Bounds as options. */
function typed(needs, between) {
  return Object.entries(needs).map(([name, text]) => `--${option(name)} ${text}`).join(between);
}
