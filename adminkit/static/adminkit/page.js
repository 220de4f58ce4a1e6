// What pages of ours in the admin have in common: asking the site, and making elements. No framework.
const PATIENCE = 10000; // milliseconds that an answer may take

export const at = (id) => document.getElementById(id);
export const number = (value) => (value === null ? "–" : value.toLocaleString(undefined, { maximumFractionDigits: 1 }));
export const money = (value, decimals) => (value === null ? "–" : value.toLocaleString(undefined, { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));

export function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
}

export function row(header, cells) {
  const made = document.createElement("tr");
  made.append(element("th", header, { scope: "row" }));
  cells.forEach((cell) => {
    const td = document.createElement("td");
    td.append(cell);
    made.append(td);
  });
  return made;
}

// Returns the answer's data; raises an Error in words.
export async function ask(url, options = {}) {
  const answer = await fetch(url, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE), ...options });
  if (answer.redirected) throw new Error("you are signed out");
  if (!answer.ok) throw new Error(await reason(answer));
  return answer.json();
}

async function reason(answer) {
  const told = await answer.json().catch(() => ({}));
  return told.detail || `the answer was ${answer.status}`;
}

// Shows a text in a box that is read out when it changes; hides the box where there is none.
export function tell(box, text) {
  if (box.textContent !== text) box.textContent = text;
  box.hidden = !text;
}
