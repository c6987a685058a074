// From the rest of the page to the faces: a cell of a confusion matrix, and two that are compared.

async function buildFaces() {
  const place = byId("faces-gallery");
  if (place.dataset.ready !== undefined) return;
  try {
    await loadFaces();
  } catch {
    return replace(place, make("p", {}, "This browser cannot unpack the faces; one of 2023 or later can."));
  }
  if (place.dataset.ready !== undefined) return;
  place.dataset.ready = "";
  if (!faceGroups().all.length) look.first = runGroup(facesInfo.runs[0]).key;
  replace(place, facesInfo.notes.map((note) => make("p", { class: "small" }, `${note}.`)));
  buildFacesForm(place);
  buildTiles(place);
  bindDetail();
  applyLook();
}

async function goToFaces(changes) {
  await buildFaces();
  if (!faceTable) return;
  setLook({ second: "", ...everyFace, ...changes });
  tooltip.hidden = true;
  byId("faces").scrollIntoView();
  byId("faces-title").focus({ preventScroll: true });
}

const hasFaces = (group) => Boolean(facesInfo) && group.runs.some((index) => faceColumn.has(index));

// The faces of a true class that a group, or one of two, takes for a class.
function facesOfCell(groups, i, j) {
  if (groups.length === 1) return goToFaces({ first: groups[0].key, truth: i, named: j, sort: "confidence", sign: -1 });
  return goToFaces({ first: groups[1].key, second: groups[0].key, truth: i, named: j, sort: "difference", sign: -1 });
}

// The text of a cell, as a button where its faces are in the page.
function cellLink(text, groups, i, j, words) {
  if (!groups.every(hasFaces)) return text;
  return make("button", { type: "button", class: "cell-link", "aria-label": `${text}: show the faces, ${words}`, on: { click: () => facesOfCell(groups, i, j) } }, text);
}

function rightAndWrong(groups) {
  const known = groups.filter(hasFaces);
  if (known.length < 2) return null;
  const pairs = known.slice(1).flatMap((other) => [[known[0], other], [other, known[0]]]);
  return make("p", { class: "face-links" }, "Faces that ", pairs.flatMap(([first, second], n) => [n ? ", " : "",
    make("button", { type: "button", on: { click: () => goToFaces({ first: first.key, second: second.key, differ: "first", sort: "difference", sign: -1 }) } },
      `${first.label} gets right, ${second.label} wrong`)]));
}
