// The look of figures: the reader's light or dark scheme, on paper always light.

const dark = matchMedia("(prefers-color-scheme: dark)");
const touch = matchMedia("(pointer: coarse)").matches;
const PAPER = 680; // px between the margins of A4
const PALETTE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"];
const ON_DARK = ["#56B4E9", "#E69F00", "#2FC59A", "#E29BC1", "#9AA7FF", "#F28C4A"]; // the same hues, lighter
const QUIET = "#8A8F98", TEACHER = "#D55E00";
const CONFIG = { responsive: true, displayModeBar: false };
let onPaper = false;

const decades = () => (document.body.clientWidth < 640 ? 1 : "D2"); // ticks at 1, 10, 100; on wide screens at 2 and 5 too
const ink = () => (dark.matches && !onPaper ? "#d5d8dd" : "#30343b");
const grid = () => (dark.matches && !onPaper ? "#30343b" : "#e4e6ea");
const strong = () => (dark.matches && !onPaper ? "#ffffff" : "#000000");

/** Return an axis without automargin: with automargin Plotly draws thousands of points three times. */
function axis(title, more) {
  return { title: { text: title, standoff: 8 }, gridcolor: grid(), linecolor: grid(), zeroline: false, ...more };
}

/**
 * Return the axis of the quality over the points of `data`, the better end above. Bars may be cut off: of two seeds they
 * often span the axis.
 */
function qualities(data) {
  const points = data.flatMap((one) => one.y).filter((y) => y !== null), title = plain(quality.axis);
  const shown = { ...(quality.form === "percent" ? { tickformat: ".0%" } : {}), ...(quality.higher ? {} : { autorange: "reversed" }) };
  if (!points.length) return axis(title, shown);
  const low = points.reduce((a, b) => Math.min(a, b)), high = points.reduce((a, b) => Math.max(a, b));
  const space = 0.08 * (high - low) || 0.05 * Math.abs(quality.one - quality.zero);
  return axis(title, { ...shown, autorangeoptions: { clipmin: low - space, clipmax: high + space } });
}

/** Return the error bars of rows' means, clipped at the best value, of shares to [0, 1]; no bar for null. */
function intervals(chosen, more) {
  const least = quality.form !== "value" ? 0 : quality.higher ? -Infinity : quality.one;
  const most = quality.higher ? quality.one : Infinity;
  const upTo = (room) => chosen.map((row) => (row === null || rows.margin[row] === null ? null
    : Math.max(0, Math.min(amountOf(rows.margin[row]), room(rows.validation[row])))));
  return { type: "data", symmetric: false, array: upTo((mean) => most - mean), arrayminus: upTo((mean) => mean - least), ...more };
}

function layout(x, y, more) {
  return {
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: ink() },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest",
    hoverlabel: { align: "left", font: { size: 12 } }, margin: { l: 68, r: 12, t: 28, b: 52 },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
    dragmode: touch ? false : "zoom", // a finger scrolls the page in place of zooming
    xaxis: x, yaxis: y, ...(onPaper ? { width: PAPER } : {}), ...more,
  };
}

const palette = () => (dark.matches && !onPaper ? ON_DARK : PALETTE);
const hue = (group) => palette()[study.groups.indexOf(study.words.group[group])] ?? QUIET;
const groups = () => study.groups.map((name) => study.words.group.indexOf(name));

/** Give a figure made in Python the reader's colours, in place. */
function dressed(made) {
  for (const key of Object.keys(made.layout).filter((one) => /^[xy]axis/.test(one))) {
    made.layout[key].gridcolor = made.layout[key].linecolor = grid();
    if (made.layout[key].type === "log") made.layout[key].dtick = decades();
  }
  made.layout.font.color = ink();
  made.layout.paper_bgcolor = "rgba(0,0,0,0)";
  made.layout.dragmode = touch ? false : "zoom";
  made.layout.width = onPaper ? PAPER : undefined;
  return made;
}
