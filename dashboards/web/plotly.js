// Unpack plotly.js, and draw the figures made in Python.

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

/** Return whether the browser can unpack the figures; say so in their places if not. */
function unpacks() {
  if (typeof DecompressionStream !== "undefined") return true;
  for (const plot of document.querySelectorAll(".plot")) {
    plot.textContent = "This browser cannot unpack the figures; any of 2023 or later can. The tables are whole.";
  }
  return false;
}

async function drawMade() {
  for (const [name, made] of Object.entries(study.figures)) {
    const { data, layout } = dressed(made);
    await Plotly.react(name, data, layout, CONFIG);
  }
}

/** Draw again whenever the reader changes between light and dark, or prints. */
function followReader(drawAll) {
  dark.addEventListener("change", drawAll);
  addEventListener("beforeprint", () => ((onPaper = true), drawAll()));
  addEventListener("afterprint", () => ((onPaper = false), drawAll()));
}
