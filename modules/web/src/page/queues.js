// The queues: their state, and their jobs by state.

import { get } from "./api.js";
import { badge, count, h } from "./dom.js";
import { watch } from "./view.js";

export function showQueues(content) {
  const place = h("div", { class: "scroll" });
  content.append(h("h1", {}, "Queues"), place);
  const view = watch({
    place,
    load: () => get("queues"),
    show: ({ queues, left_out }) => place.replaceChildren(
      h("table", {}, h("caption", { class: "hidden" }, "Queues and their jobs"),
        h("thead", {}, h("tr", {}, head("Queue"), head("Submission"), head("Scheduling"), head("Pending", "number"),
          head("Running", "number"), head("Completed", "number wide"), head("Failed", "number wide"), head("Canceled", "number wide"))),
        h("tbody", {}, queues.map(row))),
      left_out ? h("p", { class: "hint" }, `${count(left_out)} more queues are not shown.`) : ""),
    kinds: ["counts", "again"],
    every: 2000,
    poll: 5000,
  });
  return view.stop;
}

const head = (text, kind = "") => h("th", { scope: "col", class: kind }, text);

function row(queue) {
  const { job_states: states, successful, failed, canceled, timeout } = queue.jobs;
  const name = queue.name ?? "all jobs";
  const link = queue.name ? `#/jobs?queue=${encodeURIComponent(queue.name)}` : "#/jobs";
  const scheduling = !queue.start ? "stopped" : queue.blocked ? "blocked" : "started";
  const number = (value, kind = "") => h("td", { class: `number ${kind}` }, count(value));
  return h("tr", {},
    h("th", { scope: "row" }, h("a", { href: link }, name), queue.parent && h("span", { class: "hint" }, ` part of ${queue.parent}`)),
    h("td", {}, badge(queue.enable ? "completed" : "failed", queue.enable ? "open" : "closed"), reason(queue.disable_reason)),
    h("td", {}, badge(scheduling === "started" ? "completed" : "failed", scheduling),
      reason(queue.stop_reason ?? (queue.blocked && `by the ${queue.blocked}`))),
    number(states.depend + states.priority + states.sched), number(states.run + states.cleanup),
    number(successful, "wide"), number(failed + timeout, "wide"), number(canceled, "wide"));
}

const reason = (text) => text && h("span", { class: "hint" }, ` ${text}`);
