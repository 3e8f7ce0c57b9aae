// Throughput and waiting times as plots.

import { get } from "./api.js";
import { clock, count, duration, h, s, steps } from "./dom.js";
import { watch } from "./view.js";

const SPANS = [[600, "10 minutes"], [3600, "1 hour"], [21600, "6 hours"], [86400, "1 day"], [604800, "7 days"]];
const [HEIGHT, LEFT, TOP, BOTTOM] = [220, 56, 12, 26];

/** Narrower plots are scrolled. */
const WIDTH_MIN = 480;

export function showRates(content, chosen) {
  const span = Number(chosen.get("span")) || 3600;
  const select = h("select", { "aria-label": "Time", onchange: () => { location.hash = `#/rates?span=${select.value}`; } },
    SPANS.map(([value, text]) => h("option", { value, selected: value === span }, text)));
  const place = h("div", { class: "plots" });
  content.append(h("div", { class: "heading" }, h("h1", {}, "Rates"), select), place);
  const view = watch({
    place,
    load: () => get("rates", { span }),
    show: (rates) => place.replaceChildren(...plots(rates, Math.max(place.clientWidth - 38, WIDTH_MIN))),
    kinds: ["counts", "again"],
    every: 3000,
  });
  return view.stop;
}

function plots(rates, width) {
  const n = rates.completed.length;
  const per = rates.step >= 60 ? duration(rates.step) : `${rates.step} s`;
  const good = rates.completed;
  const bad = good.map((number, i) => number + rates.failed[i]);
  const ended = bad.map((number, i) => number + rates.canceled[i]);
  const most = Math.max(...ended, ...rates.submitted, ...rates.started, 1);
  const longest = Math.max(...rates.wait_p90.map((wait) => wait ?? 0), 0.1);
  const sum = (list) => list.reduce((total, number) => total + number, 0);
  const total = sum(ended);
  const rate = total / (n * rates.step);
  return [
    figure(`Jobs per ${per}`, [["completed", "completed"], ["failed", "failed"], ["canceled", "canceled"], ["submitted", "submitted", true]],
      frame(width, most, rates, (value) => count(Math.round(value)), (x, y) => [
        bars(good, good.map(() => 0), x, y, "completed"),
        bars(rates.failed, good, x, y, "failed"),
        bars(rates.canceled, bad, x, y, "canceled"),
        stairs(rates.submitted, x, y, "submitted"),
      ]), `${count(total)} jobs ended, ${rate >= 1 ? `${rate.toFixed(1)} a second` : `${(rate * 60).toFixed(1)} a minute`}; ${count(sum(rates.failed))} failed.`),
    figure("Time between submission and start", [["median", "median", true], ["p90", "nine of ten wait less", true]],
      frame(width, longest, rates, duration, (x, y) => [line(rates.wait_p90, x, y, "p90"), line(rates.wait_median, x, y, "median")]),
      `${count(sum(rates.started))} jobs started.`),
    rates.is_cut ? h("p", { class: "hint" }, "There were more jobs than are counted here: the oldest are missing.") : "",
  ];
}

function figure(title, keys, svg, words) {
  return h("figure", {}, h("figcaption", {}, h("h2", {}, title),
    h("ul", { class: "legend" }, keys.map(([kind, text, isLine]) =>
      h("li", { class: kind }, h("span", { class: isLine ? "stroke" : "swatch", "aria-hidden": "true" }), text)))),
  h("div", { class: "scroll" }, svg), h("p", { class: "hint" }, words));
}

/** Axes, and what `draw` puts between them. */
function frame(width, most, rates, label, draw) {
  const marks = steps(most);
  const top = marks[marks.length - 1];
  const n = rates.completed.length;
  const x = (i) => LEFT + (i / n) * (width - LEFT - 4);
  const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  const times = [0, 0.25, 0.5, 0.75, 1].map((part) => Math.round(part * n));
  return s("svg", { class: "plot", viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": "a plot, whose numbers are in rates.json" },
    marks.map((value) => s("g", {}, s("line", { class: value ? "grid" : "axis", x1: LEFT, x2: width - 4, y1: y(value), y2: y(value) }),
      s("text", { class: "label", x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, label(value)))),
    draw(x, y),
    times.map((i, at) => s("text", { class: "label", x: x(i), y: HEIGHT - 6, "text-anchor": ["start", "middle", "middle", "middle", "end"][at] },
      clock(rates.from + i * rates.step))));
}

function bars(values, bases, x, y, kind) {
  return values.map((value, i) => value ? s("rect", { class: `bar ${kind}`, x: x(i) + 0.5, y: y(bases[i] + value),
    width: Math.max(x(1) - x(0) - 1, 1), height: y(bases[i]) - y(bases[i] + value) }, s("title", {}, `${count(value)} ${kind}`)) : null);
}

/** A line through the values, with a gap where there is none. */
function line(values, x, y, kind) {
  const middle = (x(1) - x(0)) / 2;
  const points = values.map((value, i) => value === null ? null : [(x(i) + middle).toFixed(1), y(value).toFixed(1)]);
  const path = points.map((point, i) => (point ? `${points[i - 1] ? "L" : "M"}${point.join(" ")}` : "")).join("");
  return s("g", { class: kind }, s("path", { class: `line ${kind}`, d: path }),
    points.map((point, i) => point && s("circle", { class: "point", cx: point[0], cy: point[1], r: 2.25 }, s("title", {}, duration(values[i])))));
}

/** A line that stays level within each part. */
function stairs(values, x, y, kind) {
  const path = values.map((value, i) => `${i ? "V" : `M${x(0)} `}${y(value).toFixed(1)}H${x(i + 1).toFixed(1)}`);
  return s("path", { class: `line ${kind}`, d: path.join("") });
}
