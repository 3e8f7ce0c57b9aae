// What views have in common: they load, show, load again when something happened, and say what
// went wrong.

import { onEvent, paced } from "./api.js";
import { h } from "./dom.js";

/** Loads and shows, at once and at each event of `kinds`. Gives back what ends it. */
export function watch({ place, load, show, kinds, every = 1000 }) {
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
  run();
  return { again, now: run, stop: () => { isOver = true; stop(); } };
}

export function note(error) {
  return h("div", { class: "note", role: "alert" },
    h("p", {}, error.message), error.hint && h("p", { class: "hint" }, error.hint));
}

export const empty = (text) => h("p", { class: "empty" }, text);
