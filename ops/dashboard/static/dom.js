// Building and changing the page; text is set as text, so nothing from Kafka is ever markup.

/** An element with attributes and children; a child is an element or a text. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

/** The same, of SVG. */
export function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The icon of a health: each has a shape of its own. */
export function icon(health) {
  return drawn("svg", { class: "icon", "aria-hidden": "true" }, drawn("use", { href: `#i-${health}` }));
}

/** Set the text where it differs, so that an unchanged page is not laid out again. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set a number with its unit in small. */
export function sayFigure(node, [number, unit]) {
  const shown = `${number}|${unit}`;
  if (node.dataset.shown === shown) return;
  node.dataset.shown = shown;
  node.replaceChildren(number, ...(unit ? [element("small", {}, unit.startsWith("/") || unit === "%" ? unit : ` ${unit}`)] : []));
}

/** Set a health and its icon. */
export function setHealth(node, health) {
  if (node.dataset.health === health) return;
  node.dataset.health = health;
  node.querySelector("use")?.setAttribute("href", `#i-${health}`);
}
