// The way to the module: GETs with the token, and the events as they come.

const KEY = "flux-token";

/** Takes the token from behind the # of the address, where no server sees it, and hides it. */
export function takeToken() {
  const given = location.hash.slice(1);
  if (/^[A-Za-z0-9_-]{32,}$/.test(given)) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", "#/jobs");
  }
  return sessionStorage.getItem(KEY);
}

export function setToken(text) {
  sessionStorage.setItem(KEY, text.trim().replace(/^.*#/, ""));
}

const headers = () => ({ Authorization: `Bearer ${sessionStorage.getItem(KEY) ?? ""}` });

/** How far the clock of the instance is ahead of ours, in seconds. */
let ahead = 0;
export const now = () => Date.now() / 1000 + ahead;

export class Refused extends Error {
  constructor(status, text, hint) {
    super(text);
    this.status = status;
    this.hint = hint;
  }
}

async function ask(path, options) {
  const response = await fetch(path, { headers: headers(), ...options });
  if (!response.ok) {
    const why = await response.json().catch(() => ({}));
    throw new Refused(response.status, why.error ?? response.statusText, why.hint);
  }
  return response;
}

export async function get(name, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value);
  const search = given.length ? `?${new URLSearchParams(given)}` : "";
  const response = await ask(`/api/v1/${name}.json${search}`);
  const date = Date.parse(response.headers.get("Date") ?? "");
  // The header has whole seconds: a difference of one says nothing.
  const difference = (date - Date.now()) / 1000;
  ahead = Math.abs(difference) > 2 ? difference : 0;
  return response.json();
}

const listeners = new Set();

/** Has `listener(kind, data)` called for each event, until the function that it gives is. */
export function onEvent(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Follows the instance for good; `tell(state)` says whether that works. */
export async function follow(tell) {
  for (let wait = 500; ; wait = Math.min(wait * 2, 10_000)) {
    try {
      tell("connecting");
      const response = await ask("/api/v1/events");
      tell("live");
      wait = 500;
      // Changes in between were missed.
      listeners.forEach((listener) => listener("again", {}));
      await read(response.body);
    } catch (error) {
      if (error.status === 401) return tell("off");
    }
    tell("off");
    await pause(wait);
  }
}

async function read(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const parts = text.split("\n\n");
    text = parts.pop();
    parts.forEach(dispatch);
  }
}

function dispatch(block) {
  let kind = "";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) kind = line.slice(7);
    else if (line.startsWith("data: ")) data.push(line.slice(6));
  }
  if (kind) listeners.forEach((listener) => listener(kind, JSON.parse(data.join("\n"))));
}

/** Calls `run` soon, and not again within `milliseconds`. */
export function paced(run, milliseconds) {
  let timer = 0;
  let last = 0;
  return () => {
    if (timer) return;
    const due = Math.max(0, last + milliseconds - Date.now());
    timer = setTimeout(() => {
      timer = 0;
      last = Date.now();
      run();
    }, due);
  };
}
