// The operations page: asks for figures while it is open, and draws them.
import { follow, show } from "../adminkit/charts.js";
import { ask, at, element, number, row, tell } from "../adminkit/page.js";

const REFRESH = { hour: 5000, day: 30000, week: 60000 }; // milliseconds: a longer time changes more slowly
const HEALTH = 15000; // milliseconds

const page = at("operations");
const state = { last: location.hash.slice(1) in REFRESH ? location.hash.slice(1) : "hour", paused: false };

const seconds = (value) => (value < 120 ? `${number(value)} s` : value < 7200 ? `${number(value / 60)} min` : `${number(value / 3600)} h`);
const milliseconds = (value) => (value === null ? "–" : `${number(value)} ms`);

function time(start) {
  const moment = new Date(start);
  const clock = moment.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  return state.last === "week" ? `${moment.toLocaleDateString(undefined, { weekday: "short" })} ${clock}` : clock;
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
    show(figure, labels, found.charts[figure.dataset.chart]);
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
  tell(at("ops-failed"), [...errors].map(([name, told]) => `No new ${name}: ${told}. What is shown of them is old.`).join(" "));
}

// Asks again and again, each time so long after the answer before; at once when told to.
function poll(what, url, use, pause) {
  let timer = 0;
  let asked = 0;
  return async function again() {
    clearTimeout(timer);
    const mine = ++asked;
    try {
      const found = await ask(url());
      if (mine !== asked) return; // another was asked meanwhile
      use(found);
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
  follow();
  document.addEventListener("visibilitychange", () => { if (!document.hidden && !state.paused) { figuresNow(); healthNow(); } });
  choose(state.last);
  healthNow();
}

if (page) begin();
