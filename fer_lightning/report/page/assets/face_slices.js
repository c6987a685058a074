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

if (facesInfo?.slices)
  for (const button of document.querySelectorAll("[data-slice]"))
    button.addEventListener("click", () => goToSlice(Number(button.dataset.slice)));
