// Common parts of views: load, show, load again after a change, report errors.

import { onEvent, paced } from "./api.js";
import { h } from "./dom.js";

/**
 * Loads and shows: at once, after each event of `kinds` but not more often than `every`, and each
 * `poll` for changes that are no events. `stop` ends it.
 */
export function watch({ place, load, show, kinds, every = 1000, poll = 0 }) {
  let isOver = false;
  let turn = 0;
  const run = async () => {
    const mine = ++turn;
    try {
      const data = await load();
      // A later question may have been answered before.
      if (!isOver && mine === turn) show(data);
    } catch (error) {
      if (!isOver && mine === turn) place.replaceChildren(note(error));
    }
  };
  const again = paced(run, every);
  const stop = onEvent((kind) => kinds.includes(kind) && again());
  const timer = poll && setInterval(() => document.hidden || again(), poll);
  run();
  return { again, now: run, stop: () => { isOver = true; clearInterval(timer); stop(); } };
}

export function note(error) {
  return h("div", { class: "note", role: "alert" },
    h("p", {}, error.message), error.hint && h("p", { class: "hint" }, error.hint));
}

export const empty = (text) => h("p", { class: "empty" }, text);
