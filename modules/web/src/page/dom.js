// Elements, numbers and times. Text goes in as text nodes alone: names of jobs are never
// markup.

const SVG = "http://www.w3.org/2000/svg";

function make(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(2)) {
    if (child !== undefined && child !== null && child !== false) element.append(child);
  }
  return element;
}

export const h = (tag, attributes = {}, ...children) =>
  make(document.createElement(tag), attributes, children);

export const s = (tag, attributes = {}, ...children) =>
  make(document.createElementNS(SVG, tag), attributes, children);

export const count = (number) => (number ?? 0).toLocaleString("en");

/** Seconds in two units at most: 4.2 s, 3 min 12 s, 2 h 5 min, 3 d 4 h. */
export function duration(seconds) {
  if (seconds === undefined || seconds === null || !Number.isFinite(seconds)) return "–";
  if (seconds < 0) seconds = 0;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  let left = Math.round(seconds);
  const first = units.findIndex(([, size]) => left >= size);
  const [name, size] = units[first];
  const whole = Math.floor(left / size);
  left -= whole * size;
  const next = units[first + 1];
  const rest = next ? Math.floor(left / next[1]) : 0;
  return rest ? `${whole} ${name} ${rest} ${next[0]}` : `${whole} ${name}`;
}

/** A time of day, with the date if it is not today's. */
export function clock(seconds, fine = false) {
  const time = new Date(seconds * 1000);
  const isToday = time.toDateString() === new Date().toDateString();
  const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  if (fine) options.second = "2-digit";
  if (!isToday) Object.assign(options, { day: "numeric", month: "short" });
  return time.toLocaleString("en-GB", options);
}

/** Round steps between 0 and `most`, about `n` of them. */
export function steps(most, n = 4) {
  const rough = Math.max(most, 1e-9) / n;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((f) => f * power).find((size) => size >= rough * 0.999);
  const list = [];
  for (let at = 0; at <= most + step * 0.001; at += step) list.push(at);
  if (list[list.length - 1] < most) list.push(list.length * step);
  return list;
}

const SYMBOLS = {
  pending: "◔", running: "▶", completed: "✓", failed: "✗", canceled: "⊘", timeout: "◷",
  cleanup: "↻", depend: "⋯", priority: "◔", sched: "◔",
};

/** How a job is, as its result says once it has one. */
export const statusOf = (job) => job.result ?? job.state;

/** A state in a colour, a sign and a word: nobody has to tell colours. */
export function badge(status, text = status) {
  const kind = ["depend", "priority", "sched", "new"].includes(status) ? "pending"
    : status === "run" ? "running" : status;
  return h("span", { class: `badge ${kind}` },
    h("span", { class: "sign", "aria-hidden": "true" }, SYMBOLS[kind] ?? "•"), text);
}

export const STATE_WORDS = {
  depend: "waits for others", priority: "waits for priority", sched: "waits for resources",
  run: "running", cleanup: "ending", new: "new",
};

export const statusWord = (status) => STATE_WORDS[status] ?? status;
