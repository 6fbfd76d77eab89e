"""The report's style sheet, and the script that draws its figures in the reader's light or dark."""

CSS = """\
:root {
  color-scheme: light dark;
  --ink: #22252a; --soft: #5d636d; --line: #e2e5e9; --ground: #ffffff; --accent: #0072b2;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e3e5e9; --soft: #9aa1ac; --line: #33373e; --ground: #16181c; --accent: #56b4e9; }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.2; font-weight: 650; overflow-wrap: anywhere; }
h2 { margin: 3rem 0 .5rem; font-size: 1.15rem; font-weight: 650; }
p { margin: .25rem 0 1rem; max-width: 42rem; color: var(--soft); }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1.25rem; }
.numbers { margin: 2rem 0 0; }
.numbers, table { font-variant-numeric: tabular-nums; }
.numbers div { border-top: 2px solid var(--accent); padding-top: .5rem; }
.numbers dt { color: var(--soft); font-size: .85rem; }
.numbers dd { margin: 0; font-size: 1.6rem; font-weight: 600; line-height: 1.25; }
.numbers small { display: block; color: var(--soft); font-size: .8rem; font-weight: 400; line-height: 1.4; }
figure { margin: 1rem 0 0; }
figcaption { color: var(--soft); font-size: .85rem; max-width: 42rem; margin-top: .25rem; }
.scroll { overflow-x: auto; margin-top: .75rem; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; }
th { color: var(--soft); font-weight: 500; vertical-align: bottom; border-bottom: 1px solid var(--soft); }
td { vertical-align: top; border-bottom: 1px solid var(--line); }
th, td { padding: .35rem .75rem .35rem 0; }
th:last-child, td:last-child { padding-right: 0; }
th { white-space: nowrap; }
td { white-space: nowrap; }
.figure { text-align: right; }
.word, .prose { text-align: left; }
td.prose { min-width: 16rem; white-space: normal; color: var(--soft); line-height: 1.35; }
td.prose { overflow-wrap: anywhere; }
@media screen and (max-width: 40rem) {
  td.prose { min-width: 34rem; }
}
@media print {
  :root { --ink: #000; --soft: #444; --line: #ccc; --ground: #fff; --accent: #0072b2; }
  main { max-width: none; padding: 0; }
  h2 { break-after: avoid; }
  figure, tr, .numbers { break-inside: avoid; }
  .scroll { overflow: visible; }
  body { font-size: 11pt; }
  table { font-size: 8pt; }
}
"""

SCRIPT = """\
const dark = matchMedia("(prefers-color-scheme: dark)");
const touch = matchMedia("(pointer: coarse)").matches;
const A4 = 680; // px between the margins

function colours(layout, isDark) {
  const ink = isDark ? "#d5d8dd" : "#30343b", grid = isDark ? "#30343b" : "#e4e6ea";
  const changes = { "font.color": ink };
  for (const key of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
    changes[key + ".gridcolor"] = changes[key + ".linecolor"] = grid;
  }
  return changes;
}

function dress(isPrint) {
  for (const plot of document.querySelectorAll(".plot")) {
    const size = isPrint ? { width: A4 } : { width: null, autosize: true };
    Plotly.relayout(plot, { ...colours(plot.layout, dark.matches && !isPrint), ...size });
  }
}

const drawn = Object.entries(figures).map(([name, { data, layout }]) => {
  layout.paper_bgcolor = "rgba(0,0,0,0)";
  if (touch) layout.dragmode = false; // a finger scrolls the page, it does not zoom
  return Plotly.newPlot(name, data, layout, { responsive: true, displayModeBar: false });
});
Promise.all(drawn).then(() => {
  dress(false);
  dark.addEventListener("change", () => dress(false));
  addEventListener("beforeprint", () => dress(true));
  addEventListener("afterprint", () => dress(false));
});
"""
