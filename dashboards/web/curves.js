// Breakpoint curves: quality over sparsity, within the budget; curves through the front strong, with tolerance and knee.

const onFront = (curve) => curve.rows.some((row) => rows.front[row]);

/** Return a trace for every colour, dash and strength, its curves separated by gaps: a thousand traces take seconds. */
function curveTraces() {
  const bundles = new Map();
  for (const curve of study.curves) {
    const dash = curve.variant === "float" ? "solid" : "dot", group = rows.group[curve.rows.at(-1)], key = [onFront(curve), group, dash];
    if (!bundles.has(String(key))) bundles.set(String(key), { strong: onFront(curve), group, dash, path: [] });
    bundles.get(String(key)).path.push(...curve.rows, null);
  }
  const named = new Set();
  const inOrder = [...bundles.values()].sort((a, b) => a.strong - b.strong);
  return inOrder.map(({ strong, group, dash, path }) => {
    const name = plain(study.words.group[group] || "curves"), first = strong && !named.has(name);
    if (strong) named.add(name);
    return { type: "scatter", mode: "lines", connectgaps: false, opacity: strong ? 0.7 : 0.18,
      line: { width: strong ? 1.6 : 1, color: hue(group), dash }, x: path.map((row) => (row === null ? null : rows.sparsity[row])),
      y: path.map((row) => (row === null || !budget.choice.fits[row] ? null : rows.validation[row])),
      hovertext: path.map((row) => (row === null ? "" : hovers[row])), hoverinfo: "text",
      error_y: strong ? errorsOf(path, group) : undefined, legendgroup: name, name, showlegend: first, meta: "curves" };
  });
}

function errorsOf(path, group) {
  if (!path.some((row) => row !== null && rows.margin[row] !== null)) return undefined;
  return intervals(path, { thickness: 1, width: 2, color: hue(group) });
}

function readings(key, name, symbol, size) {
  const { fits } = budget.choice;
  const read = study.curves.filter((curve) => onFront(curve) && curve[key] !== null && fits[curve[key]]);
  const at = read.map((curve) => curve[key]);
  return { type: "scatter", mode: "markers", name, x: take(rows.sparsity, at), y: take(rows.validation, at), meta: key,
    marker: { symbol, size, color: at.map((row) => hue(rows.group[row])), line: { width: symbol === "circle" ? 0 : 1.5 } },
    hovertext: read.map((curve) => `${name}${overSeeds(curve, key)}<br>${hovers[curve[key]]}`), hoverinfo: "text" };
}

function overSeeds(curve, key) {
  const read = key === "tolerance" ? curve.tolerances : [];
  if (read.length < 2) return "";
  return `<br>single seeds: ${percent(Math.min(...read), 0)} to ${percent(Math.max(...read), 0)} pruned`;
}

function publishedCurves() {
  if (!showsPublished) return [];
  return study.published.curves.map(({ name, source, sparsity, accuracy }) => ({
    type: "scatter", mode: "lines+markers", name: plain(name), x: sparsity, y: accuracy, hoverinfo: "text",
    hovertext: sparsity.map((share, i) => `<b>${plain(name)}</b>, published<br>${percent(share, 1)} pruned, ` +
      `test ${percent(accuracy[i])}<br>${plain(source)}`),
    line: { width: 1, dash: "dash", color: QUIET }, marker: { symbol: "x-thin", size: 7, line: { width: 1.5, color: ink() } },
    meta: "published",
  }));
}

function drawCurves() {
  if (!study.curves.length) return undefined;
  const data = [...curveTraces(), readings("tolerance", study.within, "circle", 7), readings("knee", "knee", "diamond-open", 11),
    ...publishedCurves()];
  return Plotly.react("curves", data, layout(
    axis("share of weights removed", { tickformat: ".0%", rangemode: "tozero" }),
    qualities(data),
    { height: 480, uirevision: "curves" },
  ), CONFIG);
}
