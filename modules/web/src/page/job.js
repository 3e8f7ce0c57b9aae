// One job: the facts, its life on a line of time, and its event log.

import { get, now } from "./api.js";
import { badge, clock, count, duration, h, s, statusOf, statusWord } from "./dom.js";
import { note, watch } from "./view.js";

export function showJob(content, id) {
  const place = h("article", { class: "job" });
  content.append(place);
  let state = "";
  const view = watch({
    place,
    load: () => get(`jobs/${encodeURIComponent(id)}`),
    show: (found) => {
      state = found.job.state;
      place.replaceChildren(...page(found, Math.max(place.clientWidth - 2, 520)));
    },
    kinds: ["jobs", "again"],
  });
  // The line of what runs grows.
  const tick = setInterval(() => state && state !== "inactive" && view.again(), 2000);
  return () => { clearInterval(tick); view.stop(); };
}

function page({ job, eventlog, left_out, jobspec, R }, width) {
  const status = statusOf(job);
  const command = jobspec?.tasks?.[0]?.command;
  return [
    h("p", { class: "crumbs" }, h("a", { href: "#/jobs" }, "Jobs"), " › ", job.id),
    h("h1", {}, h("span", { class: "title" }, job.name ?? job.id), badge(status, statusWord(status))),
    command && h("pre", { class: "command" }, Array.isArray(command) ? command.map(quoted).join(" ") : String(command)),
    job.exception_note || job.exception_type
      ? note({ message: `${job.exception_type}: ${job.exception_note || "no reason was given"}` }) : null,
    facts(job, R),
    h("h2", {}, "Life"), timeline(job, eventlog, width),
    h("h2", {}, "Events"), left_out ? h("p", { class: "hint" }, `${count(left_out)} older events are not shown.`) : null,
    events(eventlog),
  ].filter(Boolean);
}

const quoted = (word) => (/^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

function facts(job, R) {
  const end = job.waitstatus === undefined ? null
    : job.waitstatus & 127 ? `signal ${job.waitstatus & 127}` : `exit code ${job.waitstatus >> 8}`;
  const rows = [
    ["User", job.user], ["Queue", job.queue], ["Tasks", count(job.ntasks)],
    ["Cores", job.ncores && count(job.ncores)], ["Nodes", job.nodelist ?? (job.nnodes && count(job.nnodes))],
    ["Ranks", R && job.ranks], ["Priority", job.priority ?? `urgency ${job.urgency}`],
    ["Time limit", job.duration ? duration(job.duration) : "none"],
    ["Waited", duration((job.t_run ?? job.t_cleanup ?? now()) - job.t_submit)],
    ["Ran", job.t_run && duration((job.t_cleanup ?? now()) - job.t_run)],
    ["Ended with", end], ["Waits for", job.dependencies?.join(", ")], ["Directory", job.cwd],
  ];
  return h("dl", { class: "facts" }, rows.filter(([, value]) => value)
    .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, String(value)))));
}

/** The phases of a life: name, colour, and between which times. */
function phases(job) {
  const end = job.t_inactive ?? now();
  const times = [
    ["dependencies", "pending", job.t_depend, job.t_priority ?? job.t_sched ?? job.t_cleanup],
    ["queued", "pending", job.t_sched ?? job.t_priority, job.t_run ?? job.t_cleanup],
    ["running", "running", job.t_run, job.t_cleanup],
    ["ending", "cleanup", job.t_cleanup, job.t_inactive],
  ];
  return times.filter(([, , from]) => from !== undefined)
    .map(([name, kind, from, until]) => ({ name, kind, from, until: Math.max(until ?? end, from) }));
}

function timeline(job, eventlog, width) {
  const lanes = phases(job);
  const begin = job.t_submit;
  const end = Math.max(job.t_inactive ?? now(), begin + 0.001, ...eventlog.map((event) => event.timestamp));
  const [left, right, lane] = [104, 84, 30];
  const height = lanes.length * lane + 58;
  const x = (time) => left + ((time - begin) / (end - begin)) * (width - left - right);
  const bars = lanes.map(({ name, kind, from, until }, n) => {
    const y = n * lane + 14;
    const wide = Math.max(x(until) - x(from), 2);
    return s("g", {},
      s("text", { class: "label", x: left - 12, y: y + 14, "text-anchor": "end" }, name),
      s("rect", { class: "track", x: left, y, width: width - left - right, height: 18, rx: 3 }),
      s("rect", { class: `phase ${kind}`, x: x(from), y, width: wide, height: 18, rx: Math.min(3, wide / 2) },
        s("title", {}, `${name}: ${clock(from, true)}, ${duration(until - from)}`)),
      s("text", { class: "value", x: width - right + 10, y: y + 14 }, duration(until - from)));
  });
  const axis = lanes.length * lane + 24;
  const ticks = eventlog.map((event) => s("line", { class: event.name === "exception" ? "tick bad" : "tick",
    x1: x(event.timestamp), x2: x(event.timestamp), y1: axis - 6, y2: axis + 6 },
  s("title", {}, `${event.name}, ${duration(event.timestamp - begin)} after submission`)));
  return h("div", { class: "scroll" }, s("svg", { class: "timeline", viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
    "aria-label": lanes.map(({ name, from, until }) => `${name} ${duration(until - from)}`).join(", ") },
  bars, s("text", { class: "label", x: left - 12, y: axis + 4, "text-anchor": "end" }, "events"),
  s("line", { class: "axis", x1: left, x2: width - right, y1: axis, y2: axis }), ticks,
  s("text", { class: "label", x: left, y: axis + 26 }, clock(begin, true)),
  s("text", { class: "label", x: width - right, y: axis + 26, "text-anchor": "end" },
    job.t_inactive ? clock(end, true) : "now")));
}

function events(eventlog) {
  const begin = eventlog[0]?.timestamp ?? 0;
  const rows = eventlog.map((event) => h("tr", {},
    h("td", { class: "number", title: clock(event.timestamp, true) }, `+${(event.timestamp - begin).toFixed(3)} s`),
    h("td", { class: event.name === "exception" ? "bad" : "" }, event.name),
    h("td", { class: "context" }, context(event.context))));
  return h("div", { class: "scroll" }, h("table", { class: "events" }, h("caption", { class: "hidden" }, "Event log"),
    h("thead", {}, h("tr", {}, ["Time", "Event", "What"].map((text, n) =>
      h("th", { scope: "col", class: n ? "" : "number" }, text)))), h("tbody", {}, rows)));
}

function context(given) {
  return Object.entries(given ?? {}).map(([name, value]) => h("span", { class: "pair" },
    h("span", { class: "key" }, name), " ", typeof value === "string" ? value : JSON.stringify(value)));
}
