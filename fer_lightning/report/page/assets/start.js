// Build the page, and draw again when its width changes.

function redraw() {
  drawForest();
  if (study.kind === "search") drawHistory();
  drawParallel();
  drawSlices();
  markParallel();
  if (chosen.length > 1) showComparison();
}

function showCommon() {
  const rows = study.config.common;
  replace(byId("common"), rows.length
    ? make("dl", { class: "facts" }, rows.map(([key, value]) => make("div", {}, make("dt", {}, key), make("dd", {}, value))))
    : make("p", {}, "No configuration is stored."));
}

buildFilterForm();
buildTable();
bindArms();
whenFiltered.push(markParallel);
whenChosen.push(showComparison);
showComparison();
showCommon();
if (study.kind === "search") showImportance();
redraw();

let lastWidth = window.innerWidth, waiting = 0;
window.addEventListener("resize", () => {
  if (window.innerWidth === lastWidth) return;
  lastWidth = window.innerWidth;
  clearTimeout(waiting);
  waiting = setTimeout(redraw, 120);
});

// Paper shows what is folded away on the screen.
let opened = [];
window.addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open]):not(.filter-more)")];
  for (const part of opened) part.open = true;
});
window.addEventListener("afterprint", () => { for (const part of opened) part.open = false; });

document.body.classList.add("ready");
