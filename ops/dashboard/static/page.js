// One page, told of everything once a second.
import { buildChain, showChain } from "./chain.js";
import { addPoint, buildCharts, loadHistory, recolour, setSpan } from "./charts.js";
import { element, icon, say, setHealth } from "./dom.js";
import { time } from "./format.js";
import { showLag, showLetters, showRoles } from "./tables.js";

const STALE_MS = 4_000;
const RETRY_MS = 2_000;
const find = (id) => document.getElementById(id);

let heardMs = 0;
let announced = "";

function show(snapshot) {
  heardMs = performance.now();
  document.body.classList.remove("stale");
  say(find("clock"), `as of ${time(snapshot.at_ms)}`);
  setHealth(find("headline"), snapshot.health);
  say(find("headline-text"), snapshot.headline);
  showProblems(snapshot);
  showChain(snapshot.stages);
  showRoles(find("roles"), snapshot.instances);
  showLag(find("lag"), snapshot.readings);
  showLetters(snapshot.letters);
  addPoint(snapshot.at_ms, snapshot.point);
  announce(snapshot);
}

function showProblems({ problems, health }) {
  const list = find("problems");
  // The headline tells the first one.
  const shown = problems.length > 1 ? problems : [];
  if (list.dataset.shown === shown.join("\n")) return;
  list.dataset.shown = shown.join("\n");
  list.replaceChildren(...shown.map((problem) => element("li", { "data-health": health }, icon(health), problem)));
}

/** Only what kind of state it is, and of whom: seconds that count up would be read out each time. */
function announce({ health, headline, stages }) {
  const troubled = Object.keys(stages).filter((name) => ["bad", "warn"].includes(stages[name].health));
  const key = `${health}:${troubled.join()}`;
  if (key === announced) return;
  announced = key;
  say(find("announce"), headline);
  document.title = health === "bad" || health === "warn" ? `(${troubled.length || 1}) Penstock` : "Penstock";
}

async function loadPast() {
  const answer = await fetch("/api/history");
  if (answer.ok) loadHistory(await answer.json());
}

function listen() {
  const stream = new EventSource("/api/stream");
  stream.onopen = () => void loadPast().catch(() => {});
  stream.onmessage = ({ data }) => show(JSON.parse(data));
  // What a slow page has missed is in the history.
  stream.addEventListener("missed", () => void loadPast().catch(() => {}));
  stream.onerror = () => {
    if (stream.readyState !== EventSource.CLOSED) return;
    setTimeout(listen, RETRY_MS);
  };
}

setInterval(() => {
  const silentMs = performance.now() - heardMs;
  if (!heardMs || silentMs < STALE_MS) return;
  document.body.classList.add("stale");
  say(find("clock"), `no news for ${Math.round(silentMs / 1e3)} s, trying again`);
  if (announced !== "stale") say(find("announce"), "The dashboard gets no news");
  announced = "stale";
}, 1_000);

function followTheme() {
  const root = document.documentElement;
  for (const input of document.querySelectorAll("#theme input")) {
    input.checked = input.value === root.dataset.theme;
    input.addEventListener("change", () => {
      root.dataset.theme = input.value;
      try {
        localStorage.setItem("theme", input.value);
      } catch {
        // Storage is switched off: it holds for this visit.
      }
      recolour();
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
}

for (const input of document.querySelectorAll("#window input")) {
  input.addEventListener("change", () => setSpan(Number(input.value)));
}
buildChain(find("stages"));
buildCharts(find("charts"));
followTheme();
listen();
