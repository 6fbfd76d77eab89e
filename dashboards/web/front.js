// The figure of the front: quality of every model over a cost, models beyond the budget dimmed, the pick marked.

const INSIDE = 0.95, BEATEN = 0.4, BEYOND = 0.1;
let cost = "params", showsPublished = false, hovers = null;

const take = (column, chosen) => chosen.map((row) => column[row]);

function marked(name, chosen, marker, more) {
  return {
    type: "scatter", mode: "markers", name: plain(name), marker, x: take(rows[cost], chosen),
    y: take(rows.validation, chosen), hovertext: take(hovers, chosen), hoverinfo: "text", ...more,
  };
}

/** Return the traces of the models by group; opacity tells models on the front, dominated, and beyond the budget apart. */
function modelTraces() {
  const { fits } = budget.choice;
  const models = all.filter((row) => row !== study.teacher);
  return groups().flatMap((group) => {
    const chosen = models.filter((row) => rows.group[row] === group), name = study.words.group[group] || "models";
    if (!chosen.length) return [];
    const opacity = chosen.map((row) => (!fits[row] ? BEYOND : rows.front[row] ? INSIDE : BEATEN));
    const entry = { type: "scatter", mode: "markers", x: [null], y: [null], name: plain(name), legendgroup: plain(name) };
    return [ // a legend shows the first point's opacity, so the entry is a trace of its own
      marked(name, chosen, { size: 7, color: hue(group), opacity },
        { showlegend: false, legendgroup: plain(name), meta: "models" }),
      { ...entry, marker: { size: 7, color: hue(group) } },
    ];
  });
}

/** Return the traces of rows with several seeds: the interval of the mean, and the single seeds. */
function seedTraces() {
  const several = all.filter((row) => rows.count[row] > 1);
  if (!several.length) return [];
  const seeds = study.seeds;
  return [
    { type: "scatter", mode: "markers", name: "single seeds", x: seeds[cost], y: seeds.validation, hoverinfo: "text",
      hovertext: seeds.row.map((row, i) => `one of the seeds of ${plain(label(row))}<br>` +
        plain(both(graded(seeds.validation[i]), graded(seeds.test[i])))),
      marker: { size: 4, symbol: "cross-thin", line: { width: 1, color: QUIET } }, meta: "seeds" },
    marked("95 % of the mean", several, { size: 1, color: QUIET }, { hoverinfo: "skip", opacity: 0.5,
      error_y: intervals(several, { thickness: 1.2, width: 3, color: QUIET }) }),
  ];
}

/** Return the best quality at each cost within the budget, as steps. */
function steps() {
  const within = all.filter((row) => budget.choice.fits[row]);
  within.sort((a, b) => rows[cost][a] - rows[cost][b] || rows.score[b] - rows.score[a]);
  const best = [];
  for (const row of within) {
    if (!best.length || rows.score[row] > rows.score[best[best.length - 1]]) best.push(row);
  }
  return { type: "scatter", mode: "lines", name: "best within the budget", x: take(rows[cost], best),
    y: take(rows.validation, best), line: { shape: "hv", width: 1.5, color: QUIET }, hoverinfo: "skip" };
}

function publishedTraces() {
  const known = study.published.models.filter((one) => one[cost] !== undefined);
  if (!showsPublished || !known.length) return [];
  return [{ type: "scatter", mode: "markers", name: "published, on test", x: known.map((one) => one[cost]),
    y: known.map((one) => one.accuracy), hoverinfo: "text",
    hovertext: known.map((one) => `<b>${plain(one.name)}</b><br>test ${percent(one.accuracy)}<br>${plain(one.source)}`),
    marker: { symbol: "x-thin", size: 9, line: { width: 2, color: ink() } }, meta: "published" }];
}

function boundLines() {
  const line = { color: QUIET, width: 1, dash: "dash" }, at = budget.bounds, lines = [];
  const { bound, of, times } = COSTS[cost], most = of ? times * at[COSTS[of].bound] : at[bound];
  if (most > 0) lines.push({ type: "line", x0: most, x1: most, yref: "paper", y0: 0, y1: 1, line });
  const worst = at[quality.bound];
  if (worst !== undefined) lines.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: worst, y1: worst, line });
  return lines;
}

function drawFront() {
  hovers ??= all.map(hover);
  const { fits, best } = budget.choice, members = all.filter((row) => rows.front[row] && row !== study.teacher);
  const ring = { symbol: "circle-open", size: 13, color: QUIET, line: { width: 1.5 } };
  const data = [...modelTraces(), steps(),
    marked("on the study's front", members.filter((row) => fits[row]), ring, { hoverinfo: "skip" }), ...seedTraces()];
  if (study.teacher !== null) {
    data.push(marked("teacher", [study.teacher], { symbol: "star", size: 15, color: TEACHER,
      opacity: fits[study.teacher] ? 1 : 3 * BEYOND }, { meta: "teacher" }));
  }
  data.push(...publishedTraces());
  if (best !== null) {
    data.push(marked("the pick", [best], { symbol: "circle-open", size: 18, color: strong(), line: { width: 3 } }, { meta: "pick" }));
  }
  return Plotly.react("front", data, layout(
    axis(`${COSTS[cost].axis} (log scale)`, { type: "log", exponentformat: "SI", dtick: decades() }),
    qualities(data),
    { height: 480, shapes: boundLines(), uirevision: cost },
  ), CONFIG);
}
