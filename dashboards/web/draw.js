// Draw the figures: the front first, the others once the front is on the screen.

async function drawAll() {
  await drawFront();
  await drawCurves();
  await drawMade();
}

function controls() {
  const lifts = [...document.querySelectorAll("[data-bound]")].map(connect);
  const unbound = () => (lifts.forEach((lift) => lift()), moved());
  document.getElementById("reset").addEventListener("click", unbound);
  unbound();
  document.getElementById("controls").disabled = false;
  for (const radio of document.querySelectorAll("input[name=cost]")) {
    radio.addEventListener("change", () => ((cost = radio.value), followers.length && drawFront()));
  }
  document.getElementById("published")?.addEventListener("change", (event) => {
    showsPublished = event.target.checked;
    followers.forEach((follow) => follow());
  });
}

async function begin() {
  controls();
  if (!unpacks()) return;
  await loadPlotly();
  followers.push(drawFront, drawCurves);
  await drawFront();
  await painted();
  document.documentElement.dataset.first = Math.round(performance.now()); // ms until the first picture
  await drawAll();
  followReader(drawAll);
  document.documentElement.dataset.drawn = Math.round(performance.now());
}

begin();
