// The chain from events to recall.
import { drawn, element, icon, say, sayFigure, setHealth } from "./dom.js";
import { count, ms, plain, rate, seconds, share, text } from "./format.js";

const STRAIGHT = ["M0 50H100"];
const DOWN = ["M50 0V100"];

// In the order of the flow, which is also the order of reading and of the narrow page.
const STAGES = [
  { key: "producers", name: "Producers", outside: true, unit: "events" },
  { key: "events", pipe: "events", across: ["M0 50C55 50 45 24 100 24", "M0 50C55 50 45 76 100 76"], down: ["M50 0C50 60 25 40 25 100", "M50 0C50 60 75 40 75 100"], fork: true },
  { key: "label-positives", name: "Label positives", half: true, unit: "positives" },
  { key: "label-negatives", name: "Label negatives", half: true, unit: "negatives", more: (f) => [["held", text(count(f.pending))]] },
  { key: "positives", pipe: "positives", half: true },
  { key: "negatives", pipe: "negatives", half: true },
  { key: "trainer", name: "Trainer", unit: "samples", lag: "lag, positives", more: (f) => [["lag, negatives", text(seconds(f.negatives_lag_s))], ["steps", text(rate(f.steps_per_s))], ["loss", text(plain(f.loss))], ["drift, most", text(plain(f.drift_max))], ["checkpoint", text(seconds(f.checkpoint_age_s))]] },
  { key: "item-vectors", pipe: "item vectors", half: true },
  { key: "users", pipe: "user records", half: true, more: (f) => `${text(count(f.users))} users` },
  { key: "index", name: "Index", unit: "vectors", more: (f) => [["items", text(count(f.items))], ["shards", text(count(f.shards))], ["dead share", text(share(f.dead_share))], ["model step", text(count(f.step))]] },
  { key: "recall.requests", pipe: "recall" },
  { key: "clients", name: "Clients", outside: true, unit: "recalls", more: (f) => [["p50", text(ms(f.p50_ms))], ["p99", text(ms(f.p99_ms))]] },
];

const nodes = new Map();

function lines(paths, kind) {
  const parts = paths.flatMap((d) => [drawn("path", { d, class: "bed" }), drawn("path", { d, class: "water" })]);
  return drawn("g", { class: kind }, ...parts);
}

function pipe(stage) {
  const figure = element("b");
  const line = drawn("svg", { class: "line", viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" },
    lines(stage.across ?? STRAIGHT, "across"), lines(stage.down ?? DOWN, "down"));
  const node = element("li", { class: `pipe${stage.fork ? " fork" : ""}` }, line, element("div", { class: "tag" }, stage.pipe, " ", figure));
  return { node, figure };
}

function box(stage) {
  const [figure, more, words] = [element("div", { class: "rate" }), element("dl", { class: "more" }), element("span")];
  const node = element("li", { class: `box${stage.outside ? " outside" : ""}` },
    element("div", { class: "name" }, stage.name), figure, more, element("div", { class: "says" }, icon("unknown"), words));
  return { node, figure, more, words };
}

export function buildChain(list) {
  for (const stage of STAGES) {
    const made = stage.pipe ? pipe(stage) : box(stage);
    made.node.dataset.stage = stage.key;
    made.node.dataset.health = "unknown";
    made.node.classList.add(stage.half ? "half" : "whole");
    nodes.set(stage.key, made);
    list.append(made.node);
  }
}

function showMore(list, pairs) {
  const shown = JSON.stringify(pairs);
  if (list.dataset.shown === shown) return;
  list.dataset.shown = shown;
  list.replaceChildren(...pairs.flatMap(([name, value, bound]) => {
    const small = bound ? [" ", element("small", { title: "What is normal" }, bound)] : [];
    return [element("dt", {}, name), element("dd", {}, value, ...small)];
  }));
}

export function showChain(stages) {
  for (const stage of STAGES) {
    const [made, now] = [nodes.get(stage.key), stages[stage.key]];
    setHealth(made.node, now.health);
    if (stage.pipe) {
      say(made.figure, stage.more ? stage.more(now.figures ?? {}) : text(rate(now.rate)));
      continue;
    }
    const [number, unit] = rate(now.rate);
    sayFigure(made.figure, [number, unit && ` ${stage.unit}${unit}`]);
    const lag = now.lag_s == null ? [] : [[stage.lag ?? "lag", text(seconds(now.lag_s)), `of ${text(seconds(now.normal_s))}`]];
    showMore(made.more, [...lag, ...(stage.more ? stage.more(now.figures ?? {}) : [])]);
    say(made.words, now.says);
  }
}
