// The amount to type for a bound to admit a model: the shortest amount admitting no model beyond. A copy of
// `search/selection/widening.py`.

const FEWEST = 3, EXACT = 16; // digits

/** Return the figure of a judged row compared with a bound; of a quality the worse of the mean and the shipped seed. */
function held(one, name) {
  const ships = figureOf(one, BOUNDS[name]);
  if (!isQuality(name)) return ships;
  return (isLeast(name) ? Math.min : Math.max)(rows.validation[one.row], ships);
}

/** Add to a judged row `needs`: the amount to type for each bound the row misses. */
function told(one) {
  return { ...one, needs: Object.fromEntries(Object.keys(one.over).map((name) => [name, shortest(name, held(one, name))])) };
}

function shortest(name, value) {
  const least = isLeast(name), figure = BOUNDS[name];
  if (value === 0 || (!least && Number.isInteger(value))) return String(value);
  const single = all.filter((row) => isQuality(name) || rows.count[row] === 1).map((row) => rows[figure][row]);
  const beyond = [...single, ...study.seeds[figure]].filter((one) => !isWithin(name, one, value));
  const next = beyond.reduce((a, b) => (least === a > b ? a : b), least ? -Infinity : Infinity);
  for (let digits = FEWEST; digits < EXACT; digits++) {
    const text = rounded(value, digits, least ? Math.floor : Math.ceil);
    if (!isWithin(name, next, Number(text))) return text;
  }
  return rounded(value, EXACT, Math.round);
}

/** Round by `how` to `digits` significant digits; a value within a float's error of a round number becomes that number. */
function rounded(value, digits, how) {
  const decimals = digits - 1 - Math.floor(Math.log10(Math.abs(value))), scaled = value * 10 ** decimals, whole = Math.round(scaled);
  const kept = Math.abs(scaled - whole) < 1e-12 * Math.abs(scaled) ? whole : how(scaled);
  return trimmed((kept / 10 ** decimals).toFixed(Math.max(0, decimals)));
}

/** Return the amounts as options of the command. */
function typed(needs, between) {
  return Object.entries(needs).map(([name, text]) => `--${option(name)} ${text}`).join(between);
}
