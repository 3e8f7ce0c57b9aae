// The tree of brokers, each with the state and the load of its node.

import { get } from "./api.js";
import { count, clock, duration, h, s } from "./dom.js";
import { watch } from "./view.js";

/** More nodes than this are drawn as cells without names. */
const NAMED_MAX = 160;
const [COLUMN, ROW, WIDTH, HEIGHT] = [208, 40, 168, 30];

export function showNodes(content) {
  const place = h("div");
  content.append(h("h1", {}, "Nodes"), place);
  const view = watch({
    place,
    load: () => get("nodes"),
    show: ({ tree, nodes }) => place.replaceChildren(
      legend(nodes), h("div", { class: "scroll" }, nodes.length > NAMED_MAX ? cells(nodes) : picture(tree, nodes)), ailing(nodes)),
    kinds: ["nodes", "counts", "again"],
    every: 2000,
    poll: 10_000,
  });
  return view.stop;
}

/** The one word for how a node is. */
function condition(node) {
  if (node.state !== "online") return node.state;
  if (node.drain) return "drained";
  if (node.excluded) return "excluded";
  return node.cores_allocated ? "busy" : "idle";
}

const SIGNS = { idle: "○", busy: "●", drained: "⊘", excluded: "–", offline: "✕", lost: "✗", torpid: "◔" };

function legend(nodes) {
  const kinds = Object.keys(SIGNS).map((kind) => [kind, nodes.filter((node) => condition(node) === kind).length]);
  return h("ul", { class: "legend" }, kinds.filter(([, number]) => number).map(([kind, number]) =>
    h("li", { class: kind }, h("span", { class: "swatch", "aria-hidden": "true" }), h("strong", {}, count(number)), ` ${kind}`)));
}

function about(node) {
  const parts = [`rank ${node.rank}, ${node.host}: ${condition(node)}`];
  if (node.cores) parts.push(`${node.cores_allocated} of ${node.cores} cores in use`);
  if (node.gpus) parts.push(`${node.gpus_allocated} of ${node.gpus} GPUs in use`);
  if (node.drain) parts.push(`drained ${clock(node.drain.timestamp)}${node.drain.reason ? `: ${node.drain.reason}` : ""}`);
  if (node.error) parts.push(node.error);
  return parts.join("\n");
}

/** Leaves below each other, each parent in the middle of its children, a column a level. */
function picture(tree, nodes) {
  const boxes = [];
  const lines = [];
  let [row, depths] = [0, 0];
  const lay = (branch, depth) => {
    const below = branch.children.map((child) => lay(child, depth + 1));
    const y = below.length ? (below[0].y + below[below.length - 1].y) / 2 : row++ * ROW + ROW / 2;
    const x = depth * COLUMN + 2;
    depths = Math.max(depths, depth + 1);
    for (const child of below) {
      const [from, to] = [x + WIDTH, child.x];
      lines.push(s("path", { class: `link ${nodes[child.rank].state}`, d: `M${from} ${y}C${from + 20} ${y} ${to - 20} ${child.y} ${to} ${child.y}` }));
    }
    boxes.push(box(nodes[branch.rank], x, y));
    return { x, y, rank: branch.rank };
  };
  lay(tree, 0);
  const [width, height] = [(depths - 1) * COLUMN + WIDTH + 4, Math.max(row, 1) * ROW];
  return s("svg", { class: "tree", viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
    "aria-label": `The tree of ${nodes.length} brokers; the table below has those that are not well` }, lines, boxes);
}

function box(node, x, y) {
  const kind = condition(node);
  const share = node.cores ? node.cores_allocated / node.cores : 0;
  return s("g", { class: `node ${kind}`, transform: `translate(${x} ${y - HEIGHT / 2})` },
    s("title", {}, about(node)),
    s("rect", { class: "frame", width: WIDTH, height: HEIGHT, rx: 5 }),
    s("text", { class: "sign", x: 11, y: 19 }, SIGNS[kind]),
    s("text", { class: "host", x: 28, y: 19 }, shorten(`${node.rank} ${node.host}`, 15)),
    node.cores ? s("text", { class: "cores", x: WIDTH - 9, y: 19, "text-anchor": "end" }, `${node.cores_allocated}/${node.cores}`) : null,
    node.cores ? s("rect", { class: "room", x: 5, y: HEIGHT - 5, width: WIDTH - 10, height: 2.5, rx: 1.25 }) : null,
    share ? s("rect", { class: "use", x: 5, y: HEIGHT - 5, width: (WIDTH - 10) * share, height: 2.5, rx: 1.25 }) : null);
}

const shorten = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function cells(nodes) {
  const [size, gap, across] = [12, 3, 48];
  const height = Math.ceil(nodes.length / across) * (size + gap);
  return s("svg", { class: "cells", viewBox: `0 0 ${across * (size + gap)} ${height}`, role: "img",
    "aria-label": `${nodes.length} nodes by rank; the table below has those that are not well` },
  nodes.map((node, n) => s("rect", { class: `cell ${condition(node)}`, width: size, height: size, rx: 2,
    x: (n % across) * (size + gap), y: Math.floor(n / across) * (size + gap) }, s("title", {}, about(node)))));
}

function ailing(nodes) {
  const list = nodes.filter((node) => !["idle", "busy"].includes(condition(node)));
  if (!list.length) return h("p", { class: "hint" }, "All nodes are well.");
  return h("div", { class: "scroll" }, h("table", {}, h("caption", { class: "left" }, "Not in use"),
    h("thead", {}, h("tr", {}, ["Rank", "Host", "State", "Since", "Why"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, list.slice(0, 200).map((node) => h("tr", {},
      h("td", {}, node.rank), h("td", {}, node.host), h("td", {}, condition(node)),
      h("td", {}, node.drain ? `${clock(node.drain.timestamp)} (${duration(Date.now() / 1000 - node.drain.timestamp)})` : ""),
      h("td", {}, node.drain?.reason ?? node.error ?? ""))))));
}
