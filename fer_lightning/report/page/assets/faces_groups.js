// The runs that faces are looked at by: all of them, those of an arm, or a single one; and what they agree on.

const faceColumn = new Map((facesInfo ? facesInfo.runs : []).map((run, column) => [run, column]));
const groupCounts = new Map();

function faceGroup(key) {
  if (key === "all") return { key, label: "all runs", runs: facesInfo.runs };
  if (key.startsWith("arm:")) return armGroup(key.slice(4));
  return runGroup(runs.findIndex((run) => `run:${run.number}` === key));
}

// Keys and labels by their kind, of those groups that have predictions.
function faceGroups() {
  const seen = (group) => group.runs.some((index) => faceColumn.has(index));
  const arms = [...new Set(runs.map((run) => run.arm))].filter((arm) => arm !== null).map(armGroup).filter(seen);
  return { all: facesInfo.runs.length > 1 ? [faceGroup("all")] : [], arms, runs: facesInfo.runs.map(runGroup) };
}

// For each face: in how many runs it was seen and named right, how often each class was named, which one most often,
// and the mean probability of what was named.
function countsOf(group) {
  if (groupCounts.has(group.key)) return groupCounts.get(group.key);
  const { count, classes, labels } = faceTable;
  const members = group.runs.map((index) => faceColumn.get(index)).filter((column) => column !== undefined);
  const seen = new Uint16Array(count), right = new Uint16Array(count), most = new Uint8Array(count).fill(UNSEEN);
  const named = new Uint16Array(count * classes), confidence = new Float32Array(count);
  for (let face = 0; face < count; face += 1) {
    let sure = 0, decided = 0;
    for (const column of members) {
      const name = predictedBy(face, column);
      if (name === UNSEEN) continue;
      seen[face] += 1;
      if (name === UNDECIDED) continue;
      decided += 1;
      named[face * classes + name] += 1;
      sure += probabilityBy(face, column, name);
      if (name === labels[face]) right[face] += 1;
    }
    confidence[face] = decided ? sure / decided : 0;
    for (let name = 0; name < classes; name += 1)
      if (named[face * classes + name] > (most[face] === UNSEEN ? 0 : named[face * classes + most[face]])) most[face] = name;
  }
  const found = { seen, right, named, most, confidence, members };
  groupCounts.set(group.key, found);
  return found;
}

// How many runs of a group name a face as a class; -1 stands for its true one.
function timesNamed(group, face, name) {
  const counts = countsOf(group);
  return name < 0 ? counts.right[face] : counts.named[face * faceTable.classes + name];
}

const shareNamed = (group, face, name) => {
  const { seen } = countsOf(group);
  return seen[face] ? timesNamed(group, face, name) / seen[face] : 0;
};

// The mean probability of each class, or null where the page does not hold it.
function meanProbabilities(group, face) {
  const { classes, means } = faceTable;
  const names = [...Array(classes).keys()];
  const arm = group.key.startsWith("arm:") && facesInfo.arms ? facesInfo.arms.indexOf(group.key.slice(4)) : -1;
  if (means && arm >= 0) return names.map((name) => means[(face * facesInfo.arms.length + arm) * classes + name] / 255);
  const members = countsOf(group).members.filter((column) => predictedBy(face, column) < UNDECIDED);
  if (!members.length) return null;
  if (faceTable.probabilities) return names.map((name) => mean(members.map((column) => probabilityBy(face, column, name))));
  return members.length === 1 ? names.map((name) => probabilityBy(face, members[0], name)) : null;
}
