// The jobs, as a table with filters and pages. What is chosen is in the address.

import { get, now } from "./api.js";
import { badge, clock, count, duration, h, statusOf } from "./dom.js";
import { empty, watch } from "./view.js";

const CHOICES = [
  ["", "All jobs"], ["active", "Pending and running"], ["pending", "Pending"], ["running", "Running"],
  ["inactive", "Ended"], ["completed", "– completed"], ["failed", "– failed"], ["canceled", "– canceled"], ["timeout", "– timed out"],
];
const RESULTS = ["completed", "failed", "canceled", "timeout"];
const FIELDS = ["user", "queue", "name"];

export function showJobs(content, chosen) {
  const cursors = [""];
  const body = h("tbody");
  const table = h("table", { class: "jobs" },
    h("caption", { class: "hidden" }, "Jobs, the active ones first"),
    h("thead", {}, h("tr", {},
      h("th", { scope: "col" }, "Job"), h("th", { scope: "col" }, "Name"), h("th", { scope: "col" }, "State"),
      h("th", { scope: "col", class: "wide" }, "User"), h("th", { scope: "col", class: "queue wide" }, "Queue"),
      h("th", { scope: "col", class: "number wide" }, "Tasks"), h("th", { scope: "col", class: "number wide" }, "Nodes"),
      h("th", { scope: "col", class: "number" }, "Time"), h("th", { scope: "col", class: "number wide" }, "Submitted"),
      h("th", { scope: "col", class: "where wide" }, "Where"))), body);
  const place = h("div", { class: "scroll" });
  const newer = h("button", { type: "button", onclick: () => turn(-1) }, "← Newer");
  const older = h("button", { type: "button", onclick: () => turn(1) }, "Older →");
  const pages = h("nav", { class: "pages", "aria-label": "Pages" }, newer, h("span", { class: "page" }), older);
  content.append(h("h1", { class: "hidden" }, "Jobs"), filters(chosen), place, pages);

  let shown = [];
  let next = null;
  const query = () => {
    const state = chosen.get("state") ?? "";
    const wanted = Object.fromEntries(FIELDS.map((field) => [field, chosen.get(field)]));
    if (RESULTS.includes(state)) Object.assign(wanted, { state: "inactive", result: state });
    else wanted.state = state;
    return { ...wanted, after: cursors[cursors.length - 1] };
  };
  const view = watch({
    place,
    load: () => get("jobs", query()),
    show: (page) => {
      shown = page.jobs;
      next = page.next;
      table.classList.toggle("queueless", !shown.some((job) => job.queue));
      body.replaceChildren(...shown.map(row));
      const nothing = [...chosen].some(([, value]) => value)
        ? "No job is like that." : "There are no jobs yet. ‘flux submit’ submits one.";
      place.replaceChildren(shown.length ? table : empty(nothing));
      newer.disabled = cursors.length === 1;
      older.disabled = !next;
      pages.hidden = newer.disabled && older.disabled;
      pages.querySelector(".page").textContent = `Page ${cursors.length}`;
    },
    kinds: ["jobs", "again"],
  });
  function turn(by) {
    if (by > 0) cursors.push(next);
    else cursors.pop();
    view.now();
  }
  // Times of what runs go on.
  const tick = setInterval(() => {
    shown.forEach((job, n) => {
      const cell = body.children[n]?.querySelector(".time");
      if (cell && job.state !== "inactive") cell.textContent = time(job);
    });
  }, 1000);
  return () => { clearInterval(tick); view.stop(); };
}

function filters(chosen) {
  const state = h("select", { name: "state", "aria-label": "State" }, CHOICES.map(([value, text]) =>
    h("option", { value, selected: value === (chosen.get("state") ?? "") }, text)));
  const inputs = FIELDS.map((field) => h("input", {
    name: field, type: "search", placeholder: field[0].toUpperCase() + field.slice(1), "aria-label": field,
    value: chosen.get(field) ?? "", autocomplete: "off", spellcheck: "false",
  }));
  const apply = (event) => {
    event?.preventDefault();
    const given = [...new FormData(form)].filter(([, value]) => value);
    location.hash = given.length ? `#/jobs?${new URLSearchParams(given)}` : "#/jobs";
  };
  const form = h("form", { class: "filters", role: "search", onsubmit: apply, onchange: apply }, state, inputs,
    h("button", { class: "hidden" }, "Filter"));
  return form;
}

function row(job) {
  const status = statusOf(job);
  const started = job.t_run ?? null;
  return h("tr", {},
    h("td", { class: "id" }, h("a", { href: `#/jobs/${encodeURIComponent(job.id)}` }, job.id)),
    h("td", { class: "name", title: job.name }, job.name ?? "–"),
    h("td", {}, badge(status, job.result ? job.result : short(job))),
    h("td", { class: "wide" }, job.user), h("td", { class: "queue wide" }, job.queue ?? ""),
    h("td", { class: "number wide" }, count(job.ntasks)),
    h("td", { class: "number wide" }, job.nnodes ? count(job.nnodes) : "–"),
    h("td", { class: started ? "number time" : "number time waits", title: started ? `started ${clock(started, true)}` : "not started: the time that it waits" }, time(job)),
    h("td", { class: "number wide" }, clock(job.t_submit)),
    h("td", { class: "where wide", title: job.nodelist }, job.nodelist ?? ""));
}

const short = (job) => (job.state === "run" ? "running" : job.state === "cleanup" ? "ending" : "pending");

/** How long it ran, or how long it has waited. */
function time(job) {
  const end = job.t_cleanup ?? now();
  if (job.t_run) return duration((job.state === "inactive" || job.state === "cleanup" ? end : now()) - job.t_run);
  if (job.state === "inactive") return "–";
  return duration(now() - job.t_submit);
}
