// The sales page: asks for the figures of a period, and draws them.
import { follow, show } from "../adminkit/charts.js";
import { ask, at, element, money, number, tell } from "../adminkit/page.js";

const DAY = 86400000; // milliseconds
const page = at("sales");
const form = at("sales-chosen");
const buttons = [...form.querySelectorAll("[data-interval]")];
let asked = 0;

const isoDay = (moment) => new Date(moment).toISOString().slice(0, 10);
// The day on which an interval begins, in UTC as the figures are.
function dayText(day) {
  const parts = interval() === "month" ? { month: "short", year: "numeric" } : { month: "short", day: "numeric" };
  return new Date(day).toLocaleDateString(undefined, { ...parts, timeZone: "UTC" });
}

const percent = (share) => (share === null ? "–" : `${number(100 * share)} %`);
const interval = () => buttons.find((button) => button.getAttribute("aria-pressed") === "true").dataset.interval;

function by(name) {
  buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.interval === name)));
}

function chosen() {
  const query = new URLSearchParams({ from: form.elements.from.value, to: form.elements.to.value, interval: interval() });
  const currency = form.elements.currency.value;
  if (currency) query.set("currency", currency);
  return query;
}

function showCurrencies(found) {
  const names = [...new Set([found.currency, ...found.currencies])].filter(Boolean);
  form.elements.currency.replaceChildren(...names.map((name) => element("option", name)));
  form.elements.currency.value = found.currency;
  at("sales-currencies").hidden = names.length < 2;
}

function showTotals({ totals, currency, decimals }) {
  const told = {
    "Confirmed orders come to": `${money(totals.revenue, decimals)} ${currency}`,
    "Orders placed": number(totals.placed),
    "An order comes to": `${money(totals.average, decimals)} ${currency}`,
    "Rejected": percent(totals.rejected),
    "Cancelled": percent(totals.cancelled),
  };
  at("sales-totals").replaceChildren(...Object.entries(told).map(([name, value]) => {
    const part = element("div", "");
    part.append(element("dt", name), element("dd", value));
    return part;
  }));
}

function showFigures(found) {
  showCurrencies(found);
  showTotals(found);
  document.querySelectorAll("[data-chart]").forEach((figure) => {
    if (!figure.dataset.unit || figure.dataset.decimals) {
      Object.assign(figure.dataset, { decimals: found.decimals, unit: found.currency });
    }
    const { labels, lines } = found.charts[figure.dataset.chart];
    show(figure, figure.dataset.type === "bar" ? labels : labels.map(dayText), lines);
  });
}

async function now() {
  const { from, to } = form.elements;
  to.setCustomValidity(from.value && to.value && to.value < from.value ? "The period ends before it begins." : "");
  if (!form.reportValidity()) return;
  const query = chosen();
  const mine = ++asked;
  history.replaceState(null, "", `?${query}`);
  try {
    const found = await ask(`${page.dataset.figures}?${query}`);
    if (mine !== asked) return; // another period was chosen meanwhile
    showFigures(found);
    tell(at("sales-until"), `${query.get("from")} to ${query.get("to")}, as of ${new Date().toLocaleTimeString()}.`);
    tell(at("sales-failed"), "");
  } catch (error) {
    if (mine === asked) tell(at("sales-failed"), `No new figures: ${error.message}. What is shown is old.`);
  }
}

function begin() {
  const given = new URLSearchParams(location.search);
  ["from", "to"].forEach((name) => { if (given.get(name)) form.elements[name].value = given.get(name); });
  if (buttons.some((button) => button.dataset.interval === given.get("interval"))) by(given.get("interval"));
  if (given.get("currency")) form.elements.currency.append(element("option", given.get("currency")));
  form.addEventListener("submit", (event) => { event.preventDefault(); now(); });
  form.addEventListener("change", now);
  buttons.forEach((button) => button.addEventListener("click", () => { by(button.dataset.interval); now(); }));
  form.querySelectorAll("[data-days]").forEach((button) => button.addEventListener("click", () => {
    form.elements.from.value = isoDay(Date.now() - (button.dataset.days - 1) * DAY);
    form.elements.to.value = isoDay(Date.now());
    by(button.dataset.by);
    now();
  }));
  follow();
  now();
}

begin();
