// Charts of lines and bars, each also in words and as a table (chart.html). Chart.js comes with the admin.
import { element, money, number, row } from "./page.js";

// Told apart by the dash too, not by the colour alone. Of 3:1 against white and against the dark page.
const STYLES = [
  ["#2a78c2", []], ["#c4570b", [6, 3]], ["#1f8a5b", [2, 2]], ["#b0469a", [10, 3, 2, 3]], ["#8a7500", [1, 3]],
];
const charts = new Map();

// Show the lines (name: values) of a figure, a value for each label.
export function show(figure, labels, lines) {
  draw(figure, labels, lines);
  describe(figure, labels, lines);
  figure.lines = [labels, lines];
  tabulate(figure, labels, lines);
}

// Keep tables that are opened, and the colours of the theme, up to date.
export function follow() {
  document.querySelectorAll("[data-chart] details").forEach((details) => details.addEventListener("toggle", () => {
    const figure = details.closest("[data-chart]");
    if (figure.lines) tabulate(figure, ...figure.lines);
  }));
  new MutationObserver(() => charts.forEach((chart, figure) => { chart.options = options(figure); chart.update(); }))
    .observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
}

const isBars = (figure) => figure.dataset.type === "bar";
const text = (figure, value) => (figure.dataset.decimals ? money(value, Number(figure.dataset.decimals)) : number(value));

function options(figure) {
  const style = getComputedStyle(figure);
  const colour = style.getPropertyValue("--ops-text").trim();
  const values = { beginAtZero: true, ticks: { color: colour, maxTicksLimit: 5, precision: 0 }, grid: { color: style.getPropertyValue("--ops-grid").trim() }, title: { display: true, text: figure.dataset.unit, color: colour } };
  const labels = { ticks: { color: colour, maxRotation: 0, ...(isBars(figure) ? { autoSkip: false } : { maxTicksLimit: 6 }) }, grid: { display: false } };
  const legend = { display: !isBars(figure), position: "bottom", labels: { color: colour, usePointStyle: true, pointStyle: "line", boxWidth: 30 } };
  return {
    animation: false,
    maintainAspectRatio: false,
    indexAxis: isBars(figure) ? "y" : "x",
    interaction: { mode: "index", axis: isBars(figure) ? "y" : "x", intersect: false },
    plugins: { legend },
    scales: isBars(figure) ? { x: values, y: labels } : { x: labels, y: values },
  };
}

function draw(figure, labels, lines) {
  const datasets = Object.entries(lines).map(([label, data], n) => {
    const [colour, dash] = STYLES[n % STYLES.length];
    return { label, data, borderColor: colour, backgroundColor: colour, borderDash: dash, borderWidth: 2, pointRadius: data.length > 1 ? 0 : 3, pointHitRadius: 8, spanGaps: true };
  });
  let chart = charts.get(figure);
  if (!chart) {
    chart = new Chart(figure.querySelector("canvas"), { type: figure.dataset.type, data: { labels: [], datasets: [] }, options: options(figure) });
    charts.set(figure, chart);
  }
  chart.options.scales[isBars(figure) ? "x" : "y"].title.text = figure.dataset.unit;
  chart.data = { labels, datasets };
  chart.update();
}

function describe(figure, labels, lines) {
  figure.querySelector("p").textContent = `${isBars(figure) ? first(figure, labels, lines) : sums(figure, lines)} (${figure.dataset.unit})`;
}

function first(figure, labels, lines) {
  const [values] = Object.values(lines);
  return labels.length ? `First: ${labels[0]} ${text(figure, values[0])}, of ${labels.length} shown` : "None";
}

function sums(figure, lines) {
  const isSum = figure.dataset.kind === "sum";
  const said = Object.entries(lines).map(([name, values]) => {
    const seen = values.filter((value) => value !== null);
    const told = isSum ? seen.reduce((sum, value) => sum + value, 0) : Math.max(0, ...seen);
    return `${name} ${text(figure, told)}`;
  });
  return `${isSum ? "In all" : "Highest"}: ${said.join(", ")}`;
}

function tabulate(figure, labels, lines) {
  const details = figure.querySelector("details");
  if (!details.open) return;
  const head = document.createElement("tr");
  [isBars(figure) ? "Product" : "From", ...Object.keys(lines)].forEach((name) => head.append(element("th", name, { scope: "col" })));
  details.querySelector("thead").replaceChildren(head);
  const rows = labels.map((label, n) => row(label, Object.values(lines).map((values) => text(figure, values[n]))));
  details.querySelector("tbody").replaceChildren(...(isBars(figure) ? rows : rows.reverse()));
}
