// The sliders, the pick, and the tables. All figures read `budget`.

const GRID = 160; // stops of a slider at most, beside the stops for models of the front
const budget = { texts: {}, bounds: {}, choice: null };
const followers = []; // functions called without arguments whenever the budget changes

/** Return a slider's stops as typed amounts, rising, each just admitting a model: on a log scale, and the whole front. */
function stops(name) {
  const figures = rows[BOUNDS[name]];
  const typable = (one) => Number.isFinite(one) && (one > 0 || isQuality(name));
  const values = [...new Set(figures)].filter(typable).sort((a, b) => a - b);
  if (!values.length) return [];
  const shift = Math.min(0, values[0]), taken = new Set(); // a quality may be below 0
  const from = Math.log1p(values[0] - shift), to = Math.log1p(values[values.length - 1] - shift);
  for (let i = 0, at = 0; i <= GRID; i++) {
    const least = Math.expm1(from + ((to - from) * i) / GRID) * (1 - ROUNDING) + shift;
    while (at < values.length - 1 && values[at] < least) at++;
    taken.add(values[at]);
  }
  for (const row of all) if (rows.front[row] && typable(figures[row])) taken.add(figures[row]);
  return [...new Set([...taken].sort((a, b) => a - b).map((value) => written(value, name)))];
}

/** Bind a slider and its box to a bound of the budget; return a function to lift the bound. */
function connect(field) {
  const name = field.dataset.bound, least = isLeast(name);
  const slider = field.querySelector("input[type=range]"), box = field.querySelector("input[type=text]");
  const note = field.querySelector("small"), texts = stops(name);
  const open = least ? 0 : texts.length; // the end without a bound
  const values = texts.map((text) => amount(text, name));
  const place = (text) => {
    const value = amount(text, name);
    if (least) return Math.max(1, values.filter((one) => one <= value + ROUNDING * Math.abs(value)).length);
    return Math.min(texts.length - 1, values.filter((one) => one < value - ROUNDING * Math.abs(value)).length);
  };
  slider.max = texts.length;
  slider.value = open;

  function set(text) {
    box.removeAttribute("aria-invalid");
    note.textContent = "";
    if (text === "") delete budget.texts[name], delete budget.bounds[name];
    else budget.texts[name] = text, budget.bounds[name] = amount(text, name);
    slider.setAttribute("aria-valuetext", text === "" ? "no bound" : `${least ? "at least" : "at most"} ${text}`);
  }
  slider.addEventListener("input", () => {
    const text = Number(slider.value) === open ? "" : texts[Number(slider.value) - (least ? 1 : 0)];
    box.value = text;
    set(text);
    moved();
  });
  box.addEventListener("change", () => {
    const text = box.value.trim();
    try {
      slider.value = text === "" ? open : place(text);
      set(text);
      moved();
    } catch (error) {
      box.setAttribute("aria-invalid", "true");
      note.textContent = `Expected ${error.message}.`;
    }
  });
  return () => ((box.value = ""), (slider.value = open), set(""));
}

let waiting = false;
/** Choose again and redraw after a bound has changed. */
function moved() {
  budget.choice = choose(budget.bounds);
  showPick();
  showTables();
  if (waiting) return;
  waiting = true; // figures are drawn once a frame, however fast the slider moves
  requestAnimationFrame(() => {
    waiting = false;
    followers.forEach((follow) => follow());
  });
}

function showPick() {
  const { best, shipped, binding, more, misses, fits } = budget.choice, at = (name) => document.getElementById(name);
  const isBounded = Object.keys(budget.texts).length > 0;
  const say = (name, text) => ((at(name).textContent = text), (at(name).hidden = text === ""));
  at("pick-figures").hidden = best === null;
  say("pick-recipe", best === null ? "" : study.words.recipe[rows.recipe[best]]);
  say("pick-misses", misses.length ? `Nearest: ${misses.map(missed).join("; ")}.` : "");
  say("pick-binding", best === null || !isBounded ? "" : binding.length ? `Binding: ${binding.map(bounded).join(", ")}.`
    : "No bound keeps a better model out.");
  say("pick-more", more === null ? "" : `One notch more: ${typed(more.needs, " and ")} buys ${label(more.row)}, ` +
    `${gained(rows.score[more.row] - rows.score[best])} on validation.`);
  at("pick-command").textContent = command(budget.texts);
  if (best === null) return say("pick-name", count ? "No model is within the budget." : "No model has been measured yet.");
  const ships = shipped === null ? "" : `, of its seeds trial ${study.seeds.trial[shipped]}'s`;
  say("pick-name", `Best of ${number.format(fits.filter(Boolean).length)}: ${label(best)}${ships}`);
  const means = { validation: onValidation(best), test: onTest(best) };
  for (const cell of document.querySelectorAll("#pick-figures dd")) {
    const name = cell.dataset.figure, has = figureOf({ row: best, shipped }, name);
    const beside = () => (has === null ? "" : four(has));
    cell.textContent = means[name] ?? (study.also.includes(name) ? beside() : costText(name, has));
  }
}

/** Say how much better a score is. */
function gained(scores) {
  return quality.form === "percent" ? `${three.format(100 * scores)} points more` : `${three.format(amountOf(scores))} ${unit} better`;
}

/** Show a table's row if any of its models is within the budget. */
function showTables() {
  const { fits } = budget.choice;
  for (const table of document.querySelectorAll("table[data-of]")) {
    let shown = 0;
    const lines = table.querySelectorAll("tbody tr");
    for (const line of lines) {
      line.hidden = !line.dataset.rows.split(" ").some((row) => fits[row]);
      line.classList.toggle("picked", line.dataset.rows === String(budget.choice.best));
      shown += !line.hidden;
    }
    table.caption.textContent = `${shown} of ${lines.length} ${table.dataset.of} within the budget`;
  }
}
