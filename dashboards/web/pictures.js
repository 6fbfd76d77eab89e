// Draw the figures of a page without a budget.

async function begin() {
  if (!unpacks()) return;
  await loadPlotly();
  await drawMade();
  followReader(drawMade);
  document.documentElement.dataset.drawn = Math.round(performance.now());
}

begin();
