// Build the page, and draw again when its width changes.

function drawSpace() {
  if (study.kind === "search") drawLater(byId("history"), drawHistory);
  drawLater(byId("parallel"), drawParallel);
  drawLater(byId("slices"), drawSlices);
  drawWhenIdle();
}

function redraw() {
  drawForest();
  drawSpace();
  if (chosen.length > 1) showComparison();
}

function showCommon() {
  const rows = study.config.common;
  replace(byId("common"), rows.length
    ? make("dl", { class: "facts" }, rows.map(([key, value]) => make("div", {}, make("dt", {}, key), make("dd", {}, value))))
    : make("p", {}, "No configuration is stored."));
}

// The effect plot asks for its width: before the table is there, that costs next to nothing.
drawForest();
buildFilterForm();
buildTable();
bindArms();
whenFiltered.push(markDrawings);
whenChosen.push(showComparison);
showComparison();
showCommon();
if (study.kind === "search") showImportance();
drawSpace();
if (facesInfo) whenSeen(byId("faces"), buildFaces);

let lastWidth = window.innerWidth, resized = 0;
window.addEventListener("resize", () => {
  if (window.innerWidth === lastWidth) return;
  lastWidth = window.innerWidth;
  clearTimeout(resized);
  resized = setTimeout(redraw, 120);
});

// Paper shows what is folded away on the screen.
let opened = [];
window.addEventListener("beforeprint", () => {
  drawAll();
  opened = [...document.querySelectorAll("details:not([open]):not(.filter-more)")];
  for (const part of opened) part.open = true;
});
window.addEventListener("afterprint", () => { for (const part of opened) part.open = false; });

document.body.classList.add("ready");
