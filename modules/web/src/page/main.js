// The frame of the page: the token, the choice of the view, and the line of numbers above it.

import { follow, get, onEvent, paced, setToken, takeToken } from "./api.js";
import { badge, count, duration, h } from "./dom.js";
import { showJob } from "./job.js";
import { showJobs } from "./jobs.js";
import { showNodes } from "./nodes.js";
import { showQueues } from "./queues.js";
import { showRates } from "./rates.js";

const content = document.getElementById("content");
const summary = document.getElementById("summary");

/** Views by the first word of the path. Each returns a function that ends it. */
const VIEWS = { jobs: showJobs, queues: showQueues, nodes: showNodes, rates: showRates };

let leave = () => {};

function route() {
  const [path, search = ""] = location.hash.slice(1).split("?");
  const [, view = "jobs", id] = path.split("/");
  const focused = content.contains(document.activeElement) && document.activeElement.name;
  leave();
  content.replaceChildren();
  for (const link of document.querySelectorAll("nav a")) {
    const isHere = link.getAttribute("href") === `#/${view}`;
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const show = id ? showJob : VIEWS[view] ?? showJobs;
  leave = show(content, id ? decodeURIComponent(id) : new URLSearchParams(search)) ?? (() => {});
  // The focus stays in its field.
  if (focused) content.querySelector(`[name="${focused}"]`)?.focus();
  else window.scrollTo(0, 0);
}

/** Asks for the token where the address had none. */
function askForToken() {
  const field = h("input", { name: "token", autocomplete: "off", spellcheck: "false", "aria-label": "Token or address" });
  const form = h("form", {
    class: "gate",
    onsubmit: (event) => {
      event.preventDefault();
      setToken(field.value);
      location.hash = "#/jobs";
      location.reload();
    },
  },
  h("h1", {}, "This page needs its token"),
  h("p", {}, "Open the address that ", h("code", {}, "flux web"), " prints, or paste it here."),
  field, h("button", {}, "Open"));
  content.replaceChildren(form);
}

function tell(state) {
  const live = document.getElementById("live");
  live.dataset.state = state;
  live.querySelector(".word").textContent = state === "off" ? "not connected" : state;
}

function part(status, number, word) {
  return h("div", { class: "figure" }, badge(status, word), h("strong", {}, count(number)));
}

function showCounts(all) {
  const states = all.job_states;
  const figures = [
    part("pending", states.depend + states.priority + states.sched, "pending"),
    part("running", states.run + states.cleanup, "running"),
    part("completed", all.successful, "completed"),
    part("failed", all.failed, "failed"),
    part("canceled", all.canceled, "canceled"),
    part("timeout", all.timeout, "timeout"),
  ];
  document.getElementById("figures").replaceChildren(...figures);
}

function showUse(instance) {
  const where = document.getElementById("where");
  const brokers = instance.size > 1 ? `, ${count(instance.size)} nodes` : "";
  where.textContent = `${instance.owner} on ${instance.host}${brokers} · up ${duration(instance.duration)}`;
  document.title = `Flux on ${instance.host}`;
  const use = document.getElementById("use");
  if (!instance.resources) return use.replaceChildren();
  const { all, down, allocated } = instance.resources;
  const share = all.cores ? allocated.cores / all.cores : 0;
  const meter = h("span", { class: "meter", role: "img", "aria-label": `${Math.round(share * 100)} percent of the cores are in use` }, h("span"));
  meter.firstChild.style.width = `${share * 100}%`;
  const text = `${count(allocated.cores)} of ${count(all.cores)} cores in use`;
  use.replaceChildren(meter, h("span", {}, down.nodes ? `${text}, ${count(down.nodes)} ${down.nodes === 1 ? "node" : "nodes"} down` : text));
}

function start() {
  summary.append(h("div", { id: "figures" }), h("div", { id: "use" }));
  summary.hidden = false;
  const look = paced(() => get("instance").then(showUse).catch(() => {}), 2000);
  onEvent((kind, data) => {
    if (kind === "counts") showCounts(data);
    if (kind !== "jobs") look();
  });
  look();
  setInterval(look, 30_000);
  follow(tell);
  window.addEventListener("hashchange", () => {
    takeToken();
    route();
  });
  route();
}

document.querySelector(".skip").addEventListener("click", (event) => {
  // The part behind # is the view.
  event.preventDefault();
  content.focus();
});

if (takeToken()) {
  get("instance").then(start).catch((error) => {
    if (error.status === 401) askForToken();
    else start();
  });
} else {
  tell("off");
  askForToken();
}
