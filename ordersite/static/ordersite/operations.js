// The operations page: asks for figures while it is open, and draws them. No framework; Chart.js comes with the admin.
"use strict";

const REFRESH = { hour: 5000, day: 30000, week: 60000 }; // milliseconds: a longer time changes more slowly
const HEALTH = 15000; // milliseconds
const PATIENCE = 10000; // milliseconds that an answer may take
// Told apart by the dash too, not by the colour alone. Of 3:1 against white and against the dark page.
const STYLES = [
  ["#2a78c2", []], ["#c4570b", [6, 3]], ["#1f8a5b", [2, 2]], ["#b0469a", [10, 3, 2, 3]], ["#8a7500", [1, 3]],
];

const page = document.getElementById("operations");
const at = (id) => document.getElementById(id);
const charts = new Map();
const state = { last: location.hash.slice(1) in REFRESH ? location.hash.slice(1) : "hour", paused: false };

const number = (value) => (value === null ? "–" : value.toLocaleString(undefined, { maximumFractionDigits: 1 }));
const seconds = (value) => (value < 120 ? `${number(value)} s` : value < 7200 ? `${number(value / 60)} min` : `${number(value / 3600)} h`);
const milliseconds = (value) => (value === null ? "–" : `${number(value)} ms`);

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
}

function row(header, cells) {
  const made = document.createElement("tr");
  made.append(element("th", header, { scope: "row" }));
  cells.forEach((cell) => {
    const td = document.createElement("td");
    td.append(cell);
    made.append(td);
  });
  return made;
}

async function ask(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE) });
  if (answer.redirected || !answer.ok) throw new Error(answer.redirected ? "you are signed out" : `the answer was ${answer.status}`);
  return answer.json();
}

function time(start) {
  const moment = new Date(start);
  const clock = moment.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  return state.last === "week" ? `${moment.toLocaleDateString(undefined, { weekday: "short" })} ${clock}` : clock;
}

function colours() {
  const style = getComputedStyle(page);
  return { text: style.getPropertyValue("--ops-text").trim(), grid: style.getPropertyValue("--ops-grid").trim() };
}

function options(unit) {
  const { text, grid } = colours();
  return {
    animation: false,
    maintainAspectRatio: false,
    interaction: { mode: "index", intersect: false },
    plugins: { legend: { position: "bottom", labels: { color: text, usePointStyle: true, pointStyle: "line", boxWidth: 30 } } },
    scales: {
      x: { ticks: { color: text, maxTicksLimit: 6, maxRotation: 0 }, grid: { display: false } },
      y: { beginAtZero: true, ticks: { color: text, maxTicksLimit: 5, precision: 0 }, grid: { color: grid }, title: { display: true, text: unit, color: text } },
    },
  };
}

function draw(figure, labels, lines) {
  const datasets = Object.entries(lines).map(([label, data], n) => {
    const [colour, dash] = STYLES[n % STYLES.length];
    return { label, data, borderColor: colour, backgroundColor: colour, borderDash: dash, borderWidth: 2, pointRadius: 0, pointHitRadius: 8, spanGaps: true };
  });
  let chart = charts.get(figure);
  if (!chart) {
    chart = new Chart(figure.querySelector("canvas"), { type: "line", data: { labels: [], datasets: [] }, options: options(figure.dataset.unit) });
    charts.set(figure, chart);
  }
  chart.data = { labels, datasets };
  chart.update();
}

function describe(figure, lines) {
  const kind = figure.dataset.kind;
  const said = Object.entries(lines).map(([name, values]) => {
    const seen = values.filter((value) => value !== null);
    const told = kind === "sum" ? seen.reduce((sum, value) => sum + value, 0) : Math.max(0, ...seen);
    return `${name} ${number(told)}`;
  });
  figure.querySelector("p").textContent = `${kind === "sum" ? "In all" : "Highest"}: ${said.join(", ")} (${figure.dataset.unit})`;
}

function tabulate(figure, labels, lines) {
  const details = figure.querySelector("details");
  if (!details.open) return;
  const head = document.createElement("tr");
  ["From", ...Object.keys(lines)].forEach((name) => head.append(element("th", name, { scope: "col" })));
  details.querySelector("thead").replaceChildren(head);
  const rows = labels.map((label, n) => row(label, Object.values(lines).map((values) => number(values[n]))));
  details.querySelector("tbody").replaceChildren(...rows.reverse());
}

function showQueues(queues) {
  at("ops-queues").replaceChildren(...queues.map((queue) => {
    const letters = queue.dead ? element("a", number(queue.dead), { href: queue.letters, "aria-label": `${queue.dead} dead letters of ${queue.name}` }) : "0";
    return row(queue.name, [number(queue.backlog), seconds(queue.oldest_due), letters]);
  }));
}

function showHandlers(handlers) {
  at("ops-handlers").replaceChildren(...handlers.map((each) =>
    row(each.name, [number(each.done), milliseconds(each.p50), milliseconds(each.p99), number(each.failed), number(each.dead)])));
}

function showFigures(found) {
  const labels = found.starts.map(time);
  document.querySelectorAll("[data-chart]").forEach((figure) => {
    const lines = found.charts[figure.dataset.chart];
    draw(figure, labels, lines);
    describe(figure, lines);
    figure.lines = [labels, lines];
    tabulate(figure, labels, lines);
  });
  showQueues(found.queues);
  showHandlers(found.handlers);
  const until = found.counted_until ? new Date(found.counted_until).toLocaleTimeString() : "never";
  at("ops-until").textContent = `Everything that was done until ${until} is counted.`;
}

function showProcesses(found) {
  at("ops-processes").replaceChildren(...found.processes.map((process) => {
    const item = element("li", "", { class: process.up ? "ops-up" : "ops-down" });
    item.append(element("strong", `${process.name}: ${process.up ? "up" : "down"}`), element("span", process.detail));
    return item;
  }));
}

const errors = new Map(); // by what was asked for: one that is answered does not hide that the other is not

function failed(what, error) {
  if (error) errors.set(what, error.message);
  else errors.delete(what);
  const box = at("ops-failed");
  const text = [...errors].map(([name, told]) => `No new ${name}: ${told}. What is shown of them is old.`).join(" ");
  if (box.textContent !== text) box.textContent = text; // an alert is read out when it changes
  box.hidden = !text;
}

// Asks again and again, each time so long after the answer before; at once when told to.
function poll(what, url, show, pause) {
  let timer = 0;
  let asked = 0;
  return async function again() {
    clearTimeout(timer);
    const mine = ++asked;
    try {
      const found = await ask(url());
      if (mine !== asked) return; // another was asked meanwhile
      show(found);
      failed(what, null);
    } catch (error) {
      if (mine === asked) failed(what, error);
    }
    if (mine === asked && !state.paused) timer = setTimeout(again, document.hidden ? 60000 : pause());
  };
}

const figuresNow = poll("figures", () => `${page.dataset.figures}?last=${state.last}`, showFigures, () => REFRESH[state.last]);
const healthNow = poll("states of processes", () => page.dataset.health, showProcesses, () => HEALTH);

function choose(last) {
  state.last = last;
  history.replaceState(null, "", `#${last}`);
  page.querySelectorAll("[data-last]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.last === last)));
  figuresNow();
}

function begin() {
  page.querySelectorAll("[data-last]").forEach((button) => button.addEventListener("click", () => choose(button.dataset.last)));
  at("ops-pause").addEventListener("click", (event) => {
    state.paused = !state.paused;
    event.target.setAttribute("aria-pressed", String(state.paused));
    event.target.textContent = state.paused ? "Go on" : "Pause";
    figuresNow();
    healthNow();
  });
  document.querySelectorAll("[data-chart] details").forEach((details) => details.addEventListener("toggle", () => {
    const figure = details.closest("[data-chart]");
    if (figure.lines) tabulate(figure, ...figure.lines);
  }));
  document.addEventListener("visibilitychange", () => { if (!document.hidden && !state.paused) { figuresNow(); healthNow(); } });
  new MutationObserver(() => charts.forEach((chart, figure) => { chart.options = options(figure.dataset.unit); chart.update(); }))
    .observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  choose(state.last);
  healthNow();
}

if (page) begin();
