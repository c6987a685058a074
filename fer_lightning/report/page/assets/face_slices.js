// Groups of faces in which networks fail: from their table to their faces.

const sliceChoices = () => [[0, "any"], ...[...Array(facesInfo.slices.count).keys()].map((place) => [place + 1,
  `${place + 1}${facesInfo.slices.failing.includes(place + 1) ? " (fails)" : ""}`])];

const sliceOf = (face) => (faceTable.slices ? faceTable.slices[face] : 0);

// Those that are most often wrong first.
function goToSlice(number) {
  const known = faceGroups();
  const groups = [...known.all, ...known.arms, ...known.runs].map((group) => group.key);
  const first = groups.includes(facesInfo.slices.by) ? facesInfo.slices.by : groups[0];
  return goToFaces({ first, slice: number, sort: "right", sign: 1 });
}

// Some faces of a slice, evenly over their order: neither the worst nor the best are picked.
function membersOf(number, most) {
  const members = [...faceTable.slices.keys()].filter((face) => faceTable.slices[face] === number);
  const count = Math.min(most, members.length);
  return [...Array(count).keys()].map((place) => members[Math.round((place * (members.length - 1)) / Math.max(count - 1, 1))]);
}

async function showStrips(buttons) {
  try { await loadFaces(); } catch { return; }
  for (const button of buttons) {
    const row = button.closest("tr");
    const faces = membersOf(Number(button.dataset.slice), 12);
    row.after(make("tr", { class: "slice-faces", "aria-hidden": "true" }, make("td", { colspan: row.cells.length },
      faces.map((face) => facePicture("faces", facesInfo.sprite, face, faceTable.ids[face], "")))));
  }
}

if (facesInfo?.slices) {
  const buttons = [...document.querySelectorAll("[data-slice]")];
  for (const button of buttons) button.addEventListener("click", () => goToSlice(Number(button.dataset.slice)));
  if (buttons.length && facesInfo.sprite) whenSeen(buttons[0].closest("section"), () => showStrips(buttons));
}
