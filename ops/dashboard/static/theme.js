// Before the page is painted, so that a chosen scheme does not flash the other one.
(() => {
  let chosen = "auto";
  try {
    chosen = localStorage.getItem("theme") ?? "auto";
  } catch {
    // Storage is switched off: the system's scheme it is.
  }
  document.documentElement.dataset.theme = chosen;
})();
