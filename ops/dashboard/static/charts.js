// Live charts, drawn by uPlot from columns that only grow at their end.
import { element, sayFigure } from "./dom.js";
import { ms, rate, seconds, share, text } from "./format.js";

const CHARTS = [
  { title: "Click to user vector", format: ms, series: [["p50", "click_to_user_vector_p50_ms", "s1"], ["p99", "click_to_user_vector_p99_ms", "s2"]] },
  { title: "Event to searchable", format: ms, series: [["p50", "event_to_searchable_p50_ms", "s1"], ["p99", "event_to_searchable_p99_ms", "s2"]] },
  { title: "Recall latency", format: ms, series: [["p50", "recall_p50_ms", "s1"], ["p99", "recall_p99_ms", "s2"]] },
  { title: "Prequential recall", format: share, series: [["@10", "prequential_at_10", "s1"], ["@50", "prequential_at_50", "s3"]] },
  { title: "Click-through, last minute", format: share, series: [["clicks of exposures", "click_through", "s1"]] },
  { title: "Throughput", format: rate, series: [["events", "events_per_s", "s1"], ["recalls", "recalls_per_s", "s3"]] },
];
const POINTS = 3_600;
const HEIGHT = 128;
// Steps of an axis of times that are round in ms, s and min alike.
const TIMES = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 6e4, 12e4, 3e5, 6e5, 12e5, 36e5, 72e5, 36e6];

const columns = { at: [], series: new Map(CHARTS.flatMap((chart) => chart.series.map(([, name]) => [name, []]))) };
const plots = [];
let spanS = 300;
let pending = false;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const tones = { s1: "--accent", s2: "--accent-2", s3: "--accent-3" };

function options(chart, width, show) {
  const axis = { stroke: colour("--muted"), font: "11px system-ui, sans-serif", ticks: { show: false }, grid: { stroke: colour("--line"), width: 1 } };
  return {
    width,
    height: HEIGHT,
    padding: [8, 2, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: "all" }, points: { size: 6 }, drag: { x: false, y: false } },
    scales: {
      x: { range: () => { const now = columns.at.at(-1) ?? Date.now() / 1e3; return [now - spanS, now]; } },
      y: { range: (_, __, max) => [0, max > 0 ? max * 1.12 : 1] },
    },
    axes: [
      { ...axis, space: 54, size: 24, grid: { show: false }, values: "{HH}:{mm}" },
      { ...axis, size: 52, space: 26, ...(chart.format === ms && { incrs: TIMES }), values: (_, ticks) => ticks.map((tick) => (tick ? text(chart.format(tick)) : "0")) },
    ],
    series: [
      {},
      ...chart.series.map(([, , tone], index) => ({
        stroke: colour(tones[tone]), width: index ? 1.25 : 2, dash: index ? [4, 2] : undefined, points: { show: false }, spanGaps: false,
        fill: index ? undefined : colour(tones[tone]) + "1f",
      })),
    ],
    hooks: { setCursor: [(plot) => show(plot.cursor.idx)] },
  };
}

function data(chart) {
  return [columns.at, ...chart.series.map(([, name]) => columns.series.get(name))];
}

export function buildCharts(parent) {
  for (const chart of CHARTS) {
    const figures = chart.series.map(() => element("dd"));
    const legend = element("dl", { class: "legend" }, ...chart.series.map(([label, , tone], index) =>
      element("div", { class: `${tone}${index ? " second" : ""}` }, element("dt", {}, label), figures[index])));
    const plot = element("div", { class: "plot", role: "img", tabindex: "0" });
    const panel = element("article", { class: "panel chart" }, element("h3", {}, chart.title), legend, plot);
    parent.append(panel);
    const made = { chart, figures, host: plot, plot: null };
    made.show = (index) => {
      made.at = index;
      chart.series.forEach(([, name], one) => sayFigure(figures[one], chart.format(columns.series.get(name).at(index ?? -1))));
    };
    plots.push(made);
  }
  new ResizeObserver(() => plots.forEach(fit)).observe(parent);
}

function fit(made) {
  const width = made.host.clientWidth;
  if (!width) return;
  if (!made.plot) made.plot = new uPlot(options(made.chart, width, made.show), data(made.chart), made.host);
  else if (made.plot.width !== width) made.plot.setSize({ width, height: HEIGHT });
}

/** Draw anew in the colours that hold now. */
export function recolour() {
  for (const made of plots) {
    made.plot?.destroy();
    made.plot = null;
    fit(made);
  }
}

export function setSpan(value) {
  spanS = value;
  redraw();
}

/** Replace all points by the server's. */
export function loadHistory(history) {
  columns.at = history.at_ms.map((at) => at / 1e3);
  for (const name of columns.series.keys()) columns.series.set(name, history.series[name]);
  redraw();
}

/** One more point; one that is known already changes nothing. */
export function addPoint(atMs, point) {
  if (columns.at.length && atMs / 1e3 <= columns.at.at(-1)) return;
  columns.at.push(atMs / 1e3);
  for (const [name, column] of columns.series) column.push(point[name] ?? null);
  // Cut a minute at a time: shifting a long array every second is what makes a page stutter.
  if (columns.at.length > POINTS + 60) {
    columns.at = columns.at.slice(-POINTS);
    for (const [name, column] of columns.series) columns.series.set(name, column.slice(-POINTS));
  }
  redraw();
}

function redraw() {
  if (pending || document.hidden) return;
  pending = true;
  requestAnimationFrame(() => {
    pending = false;
    for (const made of plots) {
      fit(made);
      made.plot?.setData(data(made.chart));
      if (made.at == null) made.show(null);
      made.host.setAttribute("aria-label", spoken(made.chart));
    }
  });
}

document.addEventListener("visibilitychange", redraw);

function spoken(chart) {
  const parts = chart.series.map(([label, name]) => {
    const column = columns.series.get(name).slice(-spanS).filter((value) => value != null);
    if (!column.length) return `${label} nothing measured`;
    const [low, high] = [Math.min(...column), Math.max(...column)].map((value) => text(chart.format(value)));
    return `${label} now ${text(chart.format(columns.series.get(name).at(-1)))}, from ${low} to ${high}`;
  });
  return `${chart.title}, last ${text(seconds(spanS))}: ${parts.join("; ")}`;
}
