// Which faces are shown, by whom they are looked at, and in which order.

const ANY = -1;
const everyFace = { truth: ANY, named: ANY, least: null, most: null, sureFrom: null, sureTo: null, copies: "any", slice: 0, differ: "" };
const look = { first: "all", second: "", ...everyFace, sort: "order", sign: 1 };
const whenLooked = [];
let shownFaces = [];

function setLook(changes) {
  Object.assign(look, changes);
  if (!look.second) {
    look.differ = "";
    if (look.sort === "difference") look.sort = "order";
  }
  applyLook();
}

// Positive where the first group names the face so more often than the second.
const differenceOf = (face, first, second) => shareNamed(first, face, look.named) - shareNamed(second, face, look.named);

function isShown(face, first, second) {
  const counts = countsOf(first);
  if (!counts.seen[face] && !(second && countsOf(second).seen[face])) return false;
  if (look.truth !== ANY && faceTable.labels[face] !== look.truth) return false;
  if (look.named !== ANY && !timesNamed(first, face, look.named) && !(second && timesNamed(second, face, look.named))) return false;
  if (look.least !== null && counts.right[face] < look.least) return false;
  if (look.most !== null && counts.right[face] > look.most) return false;
  if (look.sureFrom !== null && counts.confidence[face] < look.sureFrom) return false;
  if (look.sureTo !== null && counts.confidence[face] > look.sureTo) return false;
  if (look.slice && sliceOf(face) !== look.slice) return false;
  if (look.copies !== "any") {
    const copy = faceTable.copies[face];
    if (look.copies === "near" ? copy === 0 : look.copies === "none" ? copy > 0 : copy < 2) return false;
  }
  if (!look.differ) return true;
  // A face that only one of the two was validated on says nothing of their difference.
  if (!counts.seen[face] || !countsOf(second).seen[face]) return false;
  const change = differenceOf(face, first, second);
  return look.differ === "first" ? change > 0 : look.differ === "second" ? change < 0 : change !== 0;
}

function sortValue(first, second) {
  const counts = countsOf(first);
  const values = {
    order: () => 0,
    truth: (face) => faceTable.labels[face],
    named: (face) => counts.most[face],
    right: (face) => shareNamed(first, face, ANY),
    confidence: (face) => counts.confidence[face],
    // Where neither of the two is asked for, those on which they differ most come together.
    difference: (face) => (["first", "second"].includes(look.differ) ? differenceOf(face, first, second) : Math.abs(differenceOf(face, first, second))),
    likeness: (face) => likenessOf(face) ?? 0,
  };
  return values[look.sort];
}

function applyLook() {
  const first = faceGroup(look.first), second = look.second ? faceGroup(look.second) : null;
  const value = sortValue(first, second);
  const found = [];
  for (let face = 0; face < faceTable.count; face += 1) if (isShown(face, first, second)) found.push([value(face), face]);
  found.sort((a, b) => look.sign * (a[0] - b[0]) || a[1] - b[1]);
  shownFaces = found.map(([, face]) => face);
  if (look.sort === "order" && look.sign < 0) shownFaces.reverse();
  for (const act of whenLooked) act();
}
