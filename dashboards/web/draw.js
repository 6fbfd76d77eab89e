// Unpack plotly.js and draw the figures: the front first, the others once the front is on the screen.

const packed = (name) => document.getElementById(name).textContent;

async function unpacked(text) {
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

async function loadPlotly() {
  const script = document.createElement("script");
  script.textContent = await unpacked(packed("plotly"));
  document.head.append(script);
}

const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));

async function drawAll() {
  await drawFront();
  await drawCurves();
  for (const [name, made] of Object.entries(study.figures)) {
    const { data, layout } = dressed(made);
    await Plotly.react(name, data, layout, CONFIG);
  }
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
  if (typeof DecompressionStream === "undefined") {
    for (const plot of document.querySelectorAll(".plot")) {
      plot.textContent = "This browser cannot unpack the figures; any of 2023 or later can. The tables are whole.";
    }
    return;
  }
  await loadPlotly();
  followers.push(drawFront, drawCurves);
  await drawFront();
  await painted();
  document.documentElement.dataset.first = Math.round(performance.now()); // ms until the first picture
  await drawAll();
  dark.addEventListener("change", drawAll);
  addEventListener("beforeprint", () => ((onPaper = true), drawAll()));
  addEventListener("afterprint", () => ((onPaper = false), drawAll()));
  document.documentElement.dataset.drawn = Math.round(performance.now());
}

begin();
