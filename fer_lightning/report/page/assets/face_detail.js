// One face: what every arm and every run takes it for, where runs looked, and the training faces most like it.

let openedFace = null;

// A class's probability on the shade of a confusion matrix; the true class has a frame.
function probabilityRow(label, values, face, times) {
  return make("tr", {}, make("th", { scope: "row" }, label, times && make("span", { class: "small" }, ` ${times}`)),
    study.classes.map((name, place) => {
      const value = values ? values[place] : null;
      const frame = place === faceTable.labels[face] ? "diagonal" : "";
      if (value === null) return make("td", { class: `cell ${frame}` }, "");
      return shadedCell((100 * value).toFixed(0), "more", value, `${name}: ${(100 * value).toFixed(1)} %`, frame);
    }));
}

function probabilityTable(caption, rows) {
  return make("div", { class: "scrolls", tabindex: 0, role: "group", "aria-label": caption }, make("table", { class: "matrix" },
    make("caption", {}, caption),
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, ""), study.classes.map((name) => make("th", { scope: "col" }, make("span", {}, name))))),
    make("tbody", {}, rows)));
}

function groupRows(face) {
  const { all, arms } = faceGroups();
  const chosen = lookedAtBy(), keys = new Set(chosen.map((group) => group.key));
  return [...chosen, ...(arms.length ? arms : all).filter((group) => !keys.has(group.key))]
    .filter((group) => countsOf(group).seen[face])
    .map((group) => probabilityRow(group.label, meanProbabilities(group, face), face, timesShown(group, face, ANY)));
}

function eachRun(face) {
  const columns = facesInfo.runs.map((index, column) => [index, column]).filter(([, column]) => predictedBy(face, column) !== UNSEEN);
  if (columns.length < 2) return null;
  const arms = faceGroups().arms.map((group) => group.label);
  columns.sort(([a], [b]) => arms.indexOf(runs[a].arm) - arms.indexOf(runs[b].arm) || runs[a].seed - runs[b].seed || a - b);
  const place = make("div");
  const open = () => {
    if (place.firstChild) return;
    place.append(probabilityTable(`Per cent that each run gives each class${facesInfo.probabilities ? "" : "; only that of the class it names is kept"}`,
      columns.map(([index]) => probabilityRow(runName(index), meanProbabilities(runGroup(index), face), face, timesShown(runGroup(index), face, ANY)))));
  };
  return make("details", { on: { toggle: open } }, make("summary", {}, `Each of ${columns.length} runs`), place);
}

function nearestOf(face) {
  const { nearest, labels } = faceTable;
  if (!nearest) return null;
  const found = [...Array(nearest.each).keys()].map((rank) => {
    const at = face * nearest.each + rank, place = nearest.places[at], name = nameOf(nearest.labels[place]);
    return make("figure", { class: nearest.labels[place] === labels[face] ? "" : "other" },
      facePicture("nearest", nearest.sprite, place, nearest.ids[place], `Training face ${nearest.ids[place]}, ${name}`),
      make("figcaption", {}, make("strong", {}, name), ` ${(nearest.percent[at] / 100).toFixed(2)}`, make("span", { class: "face-id" }, nearest.ids[place])));
  });
  return [make("h4", {}, "Training faces most like it"), make("div", { class: "nearest" }, found),
    make("p", { class: "small" }, "By the correlation of their pixels, also mirrored, from 0 to 1; from 0.90 on it counts as a near copy. This is the pictures' likeness, not the networks'.")];
}

// Of each arm, or of each of the chosen runs, the first run that drew this face.
function saliencyOf(face) {
  const id = faceTable.ids[face];
  const kindsOf = (index) => Object.entries(runs[index].sheets).filter(([, sheet]) => (sheet.ids ?? []).includes(id)).map(([kind]) => kind);
  const drew = runs.map((_, index) => index).filter((index) => kindsOf(index).length);
  if (!drew.length) return null;
  const groups = [...lookedAtBy(), ...faceGroups().arms];
  const first = [...new Set(groups.map((group) => group.runs.find((index) => drew.includes(index))).filter((index) => index !== undefined))];
  const shown = first.length ? first : drew.slice(0, 1);
  return [make("h4", {}, `Saliency: ${drew.length === 1 ? "one run" : `${drew.length} runs`} drew this face${drew.length > shown.length ? `; shown is the first of each arm or chosen run` : ""}`),
    make("div", { class: "pictures" }, shown.flatMap((index) => kindsOf(index).map((kind) => picture(index, kind))))];
}

function copyWords(face) {
  if (!faceTable.copies) return null;
  return ["no near copy in training", "a near copy is in training", "an exact copy is in training"][faceTable.copies[face]];
}

function openFace(face) {
  openedFace = face;
  const dialog = byId("face-detail"), at = shownFaces.indexOf(face);
  const step = (by, label, words) => make("button", { type: "button", disabled: shownFaces[at + by] === undefined, "aria-label": words,
    on: { click: () => stepFace(by) } }, label);
  const facts = [`true class: ${nameOf(faceTable.labels[face])}`, copyWords(face), `${at + 1} of ${shownFaces.length} shown`].filter(Boolean);
  replace(dialog,
    make("div", { class: "face-bar" }, make("h3", { id: "face-title" }, faceTable.ids[face]), step(-1, "‹", "Previous face"), step(1, "›", "Next face"),
      make("button", { type: "button", "aria-label": "Close", on: { click: () => dialog.close() } }, "×")),
    make("div", { class: "face-parts" },
      make("div", { class: "face-large" }, facePicture("faces", facesInfo.sprite, face, faceTable.ids[face], `Face ${faceTable.ids[face]}, ${nameOf(faceTable.labels[face])}`),
        facts.map((fact) => make("p", { class: "small" }, fact))),
      make("div", {}, probabilityTable("Mean probability of each class, per cent; in how many runs it is right", groupRows(face)),
        eachRun(face), nearestOf(face), saliencyOf(face))));
  tooltip.hidden = true;
  if (!dialog.open) dialog.showModal();
}

function stepFace(by) {
  const next = shownFaces[shownFaces.indexOf(openedFace) + by];
  if (next !== undefined) openFace(next);
}

function bindDetail() {
  const dialog = byId("face-detail");
  dialog.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by || event.target.closest(".scrolls")) return;
    event.preventDefault();
    stepFace(by);
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => {
    const place = shownFaces.indexOf(openedFace);
    if (place >= faceLimit) return;
    focusTile(place);
  });
}
