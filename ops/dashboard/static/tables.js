// Roles, lag and dead letters.
import { element, icon, say } from "./dom.js";
import { count, seconds, text, time } from "./format.js";

const WORDS = { ready: "ready", waiting: "not ready", silent: "silent", gone: "gone", stopped: "stopped", replaced: "gone, replaced", absent: "not running", unknown: "not known" };

/** Replace the children where what they show has changed. */
function fill(parent, shown, build) {
  const key = JSON.stringify(shown);
  if (parent.dataset.shown === key) return;
  parent.dataset.shown = key;
  parent.replaceChildren(...build());
}

function state(health, words) {
  return element("span", { class: "state", "data-health": health }, icon(health), words);
}

export function showRoles(body, rows) {
  fill(body, rows.map((row) => [row.instance, row.state, row.says, Math.floor(row.up_s), row.health === "bad" ? Math.floor(row.heard_s) : 0]), () =>
    rows.map((row) => {
      const words = row.says && row.state === "waiting" ? row.says : WORDS[row.state];
      const [up, heard] = row.instance ? [text(seconds(Math.floor(row.up_s))), row.health === "bad" ? `${text(seconds(Math.floor(row.heard_s)))} ago` : "now"] : ["–", "never"];
      return element("tr", { "data-health": row.health, "data-instance": row.instance, "data-role": row.role },
        element("td", {}, row.role),
        element("td", {}, state(row.health, words)),
        element("td", { class: "process mono quiet" }, row.instance),
        element("td", { class: "number" }, up),
        element("td", { class: "number" }, heard));
    }));
}

export function showLag(body, rows, namespace) {
  fill(body, rows.map((row) => [row.role, row.topic, row.records, row.waiting_s == null ? null : Math.round(row.waiting_s * 10), row.health]), () =>
    rows.map((row) => {
      const name = row.topic.slice(row.topic.indexOf(".") + 1);
      const place = [element("td", {}, row.role), element("td", {}, name)];
      if (row.group == null) return element("tr", {}, ...place, element("td", { class: "note number", colspan: "3" }, "keeps no offset"));
      return element("tr", { "data-health": row.health, title: row.note }, ...place,
        element("td", { class: "number" }, text(count(row.records))),
        element("td", { class: "number" }, row.health === "ok" ? text(seconds(row.waiting_s)) : state(row.health, text(seconds(row.waiting_s)))),
        element("td", { class: "number quiet normal" }, text(seconds(row.normal_s))));
    }));
}

export function showLetters(letters) {
  const [aside, reasons, list] = ["letters-aside", "reasons", "letters"].map((id) => document.getElementById(id));
  if (!letters) return say(aside, "not read yet");
  const skipped = letters.skipped ? `, ${text(count(letters.skipped))} left out` : "";
  const span = letters.kept > letters.looked_at ? `, reasons of the last ${text(count(letters.looked_at))}` : "";
  say(aside, `${text(count(letters.recent))} in five minutes, ${text(count(letters.kept))} kept${span}${skipped}`);
  fill(reasons, letters.reasons, () => Object.entries(letters.reasons).slice(0, 8).map(([reason, many]) =>
    element("li", {}, element("span", {}, reason), element("meter", { min: "0", max: String(letters.looked_at), value: String(many), "aria-label": `${many} of ${letters.looked_at}` }), element("b", {}, text(count(many))))));
  const open = new Set([...list.querySelectorAll("details[open]")].map((node) => node.dataset.key));
  fill(list, letters.newest.map(keyOf), () => letters.newest.length
    ? letters.newest.map((letter) => view(letter, open))
    : [element("p", {}, "None. Records that cannot be used would stand here, with the reason.")]);
}

function keyOf(letter) {
  return `${letter.topic}/${letter.partition}/${letter.offset}/${letter.at_ms}/${letter.reason}/${letter.value}`;
}

function view(letter, open) {
  const facts = [["from", `${letter.topic} / ${letter.partition} @ ${letter.offset}`], ["by", letter.role], ["bytes", text(count(letter.value_bytes))]];
  if (letter.header_names.length) facts.push(["headers", letter.header_names.join(", ")]);
  const node = element("details", { class: "letter", "data-key": keyOf(letter) },
    element("summary", {}, element("span", { class: "quiet" }, time(letter.at_ms)), element("b", {}, letter.reason), element("span", { class: "detail" }, letter.detail)),
    element("dl", {}, ...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))),
    element("pre", { tabindex: "0" }, letter.value || "(empty)"));
  node.open = open.has(keyOf(letter));
  return node;
}
