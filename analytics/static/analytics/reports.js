// The reports page: asks for reports, and watches them while they are built.
import { ask, at, element, number, row, tell } from "../adminkit/page.js";

const SOON = 1000; // milliseconds between two looks while a report is under way
const LATER = 15000; // and else: another tab may have asked for one
const HIDDEN = 60000; // and while nobody sees the page
const UNDER_WAY = ["pending", "running"];
const SIZES = [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]];
const DAY = 86400000; // milliseconds

const page = at("reports");
const form = at("reports-ask");
const list = at("reports-list");
const rows = new Map(); // by id: the report as it is shown, its row, and what of it changes
let timer = 0;
let looked = 0;

const nameOf = (report) => `${report.kind}, ${report.from} to ${report.to}${report.format === "csv-excel" ? ", for Excel" : ""}`;
const clock = (moment) => (moment ? new Date(moment).toLocaleString() : "–");

function size(bytes) {
  if (bytes === null) return "–";
  const [unit, name] = SIZES.find(([least]) => bytes >= least) || [1, "B"];
  return `${number(bytes / unit)} ${name}`;
}

function stateOf(report) {
  const cell = element("span", "");
  if (report.status === "running") {
    const bar = element("progress", "", { max: "100", value: report.progress, "aria-label": `How far ${nameOf(report)} is` });
    cell.append(bar, ` ${report.progress} %`);
    return cell;
  }
  const words = { pending: "waits for a worker", cancelled: "cancelled, no file", expired: "expired, no file" };
  cell.append(element("strong", words[report.status] || report.status));
  if (report.status === "ready") cell.append(` until ${clock(report.expires_at)}`);
  if (report.status === "failed") cell.append(element("div", report.error, { class: "ops-why" }));
  return cell;
}

function actionsOf(report) {
  const cell = element("span", "", { class: "ops-actions" });
  const name = nameOf(report);
  if (report.status === "ready") {
    cell.append(element("a", "Download", { href: report.download, "aria-label": `Download ${name}` }));
  }
  if (report.status === "ready" || UNDER_WAY.includes(report.status)) {
    const word = report.status === "ready" ? "Remove" : "Cancel";
    const button = element("button", word, { type: "button", "aria-label": `${word} ${name}` });
    button.addEventListener("click", () => remove(report, word));
    cell.append(button);
  }
  return cell;
}

// A cell is made anew only where it changes, so that the keyboard stays where it is.
function showReport(report) {
  const shown = rows.get(report.id) || { row: row(nameOf(report), ["", "", "", "", ""]), report: {} };
  const [state, asOf, count, bytes, actions] = shown.row.querySelectorAll("td");
  const before = shown.report;
  if (before.status !== report.status || before.progress !== report.progress) state.replaceChildren(stateOf(report));
  asOf.textContent = clock(report.as_of);
  count.textContent = report.rows === null ? "–" : number(report.rows);
  bytes.textContent = size(report.size);
  const actsAs = (status) => (UNDER_WAY.includes(status) ? "under way" : status);
  if (actsAs(before.status) !== actsAs(report.status)) actions.replaceChildren(actionsOf(report));
  if (before.status && before.status !== report.status) announce(report);
  rows.set(report.id, { row: shown.row, report });
  return shown.row;
}

function announce(report) {
  const words = { ready: "is ready to be downloaded", failed: `failed: ${report.error}`, cancelled: "is cancelled", expired: "is expired" };
  if (words[report.status]) tell(at("reports-news"), `${nameOf(report)} ${words[report.status]}.`);
}

function showList(found) {
  const wanted = found.reports.map(showReport);
  if (wanted.length !== list.children.length || wanted.some((each, n) => each !== list.children[n])) list.replaceChildren(...wanted);
  at("reports-none").hidden = wanted.length > 0;
  return found.reports.some((report) => UNDER_WAY.includes(report.status));
}

async function look() {
  clearTimeout(timer);
  const mine = ++looked;
  let underWay = true;
  try {
    const found = await ask(page.dataset.list);
    if (mine !== looked) return;
    underWay = showList(found);
    tell(at("reports-failed"), "");
  } catch (error) {
    if (mine !== looked) return;
    tell(at("reports-failed"), `No news: ${error.message}. What is shown is old.`);
  }
  timer = setTimeout(look, document.hidden ? HIDDEN : underWay ? SOON : LATER);
}

const post = (url, body) => ask(url, { method: "POST", body, headers: { Accept: "application/json", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value } });

async function change(url, body, done) {
  try {
    await post(url, body);
    tell(at("reports-refused"), "");
    tell(at("reports-news"), done);
    await look();
  } catch (error) {
    tell(at("reports-refused"), `This was not done: ${error.message}`);
  }
}

function remove(report, word) {
  const question = word === "Remove" ? `Remove the file of ${nameOf(report)}?` : `Cancel ${nameOf(report)}?`;
  if (confirm(`${question} It can be asked for again.`)) change(report.remove, undefined, `${nameOf(report)} is cancelled.`);
}

function wanted(event) {
  event.preventDefault();
  const told = Object.fromEntries(new FormData(form));
  change(form.getAttribute("action"), new URLSearchParams(told), `${nameOf(told)} is asked for.`);
}

function checkPeriod() {
  const { from, to } = form.elements;
  to.setCustomValidity(from.value && to.value && to.value < from.value ? "The period ends before it begins." : "");
}

function begin() {
  const day = (moment) => new Date(moment).toISOString().slice(0, 10);
  form.elements.from.value = day(Date.now() - 29 * DAY);
  form.elements.to.value = day(Date.now());
  form.addEventListener("change", checkPeriod);
  form.addEventListener("submit", wanted);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  look();
}

begin();
