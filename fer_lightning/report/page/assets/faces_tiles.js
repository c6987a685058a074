// The gallery's tiles: a picture, its true class and what it is taken for, and in how many runs that is right; where a
// predicted class is asked for, in how many runs it is that one.

const FACES_AT_ONCE = 120;
let faceLimit = FACES_AT_ONCE;

// "4/5", or a tick or a cross where one run is right or wrong; "–" where none was validated on the face.
function timesShown(group, face, name) {
  const { seen } = countsOf(group), times = timesNamed(group, face, name);
  if (!seen[face]) return "–";
  return seen[face] === 1 && name === ANY ? (times ? "✓" : "✗") : `${times}/${seen[face]}`;
}

const nameOf = (name) => study.classes[name] ?? (name === UNDECIDED ? "undecided" : "–");

function faceWords(face, groups) {
  const said = groups.map((group) => {
    const { seen, right, most, confidence } = countsOf(group);
    if (!seen[face]) return `${group.label}: not validated on this face`;
    return `${group.label}: ${nameOf(most[face])}, right in ${right[face]} of ${seen[face]}, probability ${(100 * confidence[face]).toFixed(0)} %`;
  });
  const copy = faceTable.copies ? ["", "near copy in training", "copy in training"][faceTable.copies[face]] : "";
  return [`${faceTable.ids[face]}: ${nameOf(faceTable.labels[face])}`, ...said, copy].filter(Boolean).join("\n");
}

function tileOf(face, groups) {
  const truth = faceTable.labels[face];
  const named = groups.filter((group) => countsOf(group).seen[face]).map((group) => countsOf(group).most[face]);
  const others = [...new Set(named.filter((name) => name !== truth))].map(nameOf);
  const words = faceWords(face, groups);
  const shares = groups.map((group, g) => make("span", { class: `share colour-${g}` },
    make("span", { class: "share-bar", style: { "--share": shareNamed(group, face, look.named).toFixed(3) } }), timesShown(group, face, look.named)));
  return make("button", { type: "button", class: `tile ${others.length ? "wrong" : "right"}`, "data-face": face,
    "data-tip": words, "aria-label": words.replaceAll("\n", "; "), tabindex: -1, on: { click: () => openFace(face) } },
  facePicture("faces", facesInfo.sprite, face, faceTable.ids[face], ""),
  make("span", { class: "tile-names" }, others.length ? `${nameOf(truth)} → ${others.join(" | ")}` : nameOf(truth)),
  make("span", { class: "tile-shares" }, shares));
}

function lookedAtBy() {
  return [look.first, look.second].filter(Boolean).map(faceGroup);
}

function showTiles() {
  const groups = lookedAtBy();
  const box = byId("face-tiles"), focused = box.contains(document.activeElement);
  replace(box, shownFaces.slice(0, faceLimit).map((face) => tileOf(face, groups)));
  if (box.firstElementChild) box.firstElementChild.tabIndex = 0;
  if (focused) box.firstElementChild?.focus();
  const left = shownFaces.length - faceLimit, more = byId("more-faces");
  more.hidden = left <= 0;
  more.textContent = `Show ${Math.min(left, 2 * FACES_AT_ONCE)} more of the other ${left} faces`;
}

function showMoreFaces() {
  const groups = lookedAtBy(), before = faceLimit;
  faceLimit += 2 * FACES_AT_ONCE;
  byId("face-tiles").append(...shownFaces.slice(before, faceLimit).map((face) => tileOf(face, groups)));
  const left = shownFaces.length - faceLimit, more = byId("more-faces");
  more.hidden = left <= 0;
  more.textContent = `Show ${Math.min(left, 2 * FACES_AT_ONCE)} more of the other ${left} faces`;
  focusTile(before);
}

function focusTile(place) {
  const tiles = [...byId("face-tiles").children];
  const next = tiles[Math.max(0, Math.min(place, tiles.length - 1))];
  if (!next) return;
  for (const tile of tiles) tile.tabIndex = tile === next ? 0 : -1;
  next.focus();
}

// The gallery is one stop of the Tab key; arrows go from face to face.
function moveAmongTiles(event) {
  const tiles = [...byId("face-tiles").children], at = tiles.indexOf(event.target.closest(".tile"));
  if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
  const across = tiles.filter((tile) => tile.offsetTop === tiles[0].offsetTop).length;
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across, Home: -at, End: tiles.length - 1 - at };
  if (!(event.key in steps)) return;
  event.preventDefault();
  focusTile(at + steps[event.key]);
}

function buildTiles(place) {
  place.append(make("div", { id: "face-tiles", class: "tiles", role: "group", "aria-label": "Faces", on: { keydown: moveAmongTiles } }),
    make("button", { type: "button", id: "more-faces", hidden: true, on: { click: showMoreFaces } }));
  whenLooked.push(() => { faceLimit = FACES_AT_ONCE; showTiles(); });
}
