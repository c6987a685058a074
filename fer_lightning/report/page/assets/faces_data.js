// The validation faces and what each run takes them for: unpacked when the gallery is first looked at.

const facesInfo = byId("faces-info") ? JSON.parse(byId("faces-info").textContent) : null;
const UNDECIDED = 254; // at least one of its probabilities is not a number
const UNSEEN = 255; // the run was not validated on this face
let faceTable = null;
let loadingFaces = null;

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

const inflateBytes = async (text) => (text ? new Uint8Array(await inflate(text)) : null);
const inflateLines = async (text) => new TextDecoder().decode(await inflate(text)).split("\n");

async function loadNearest(packed) {
  if (!packed) return null;
  return {
    each: packed.each, sprite: packed.sprite, places: new Uint16Array(await inflate(packed.places)),
    percent: await inflateBytes(packed.percent), labels: await inflateBytes(packed.labels),
    ids: await inflateLines(packed.ids),
  };
}

async function unpackFaces() {
  const [ids, labels, predicted, probabilities, confidence, means, copies, nearest, slices] = await Promise.all([
    inflateLines(facesInfo.ids), inflateBytes(facesInfo.labels), inflateBytes(facesInfo.predicted),
    inflateBytes(facesInfo.probabilities), inflateBytes(facesInfo.confidence), inflateBytes(facesInfo.means),
    inflateBytes(facesInfo.copies), loadNearest(facesInfo.nearest), inflateBytes(facesInfo.slices?.places)]);
  faceTable = { count: facesInfo.count, runs: facesInfo.runs.length, classes: facesInfo.classes.length,
    ids, labels, predicted, probabilities, confidence, means, copies, nearest, slices };
  return faceTable;
}

const loadFaces = () => (loadingFaces ??= unpackFaces());

const predictedBy = (face, column) => faceTable.predicted[face * faceTable.runs + column];

// Of one class, from 0 to 1; null where the page does not hold it.
function probabilityBy(face, column, name) {
  const { runs: width, classes, probabilities, confidence } = faceTable;
  if (predictedBy(face, column) >= UNDECIDED) return null;
  if (probabilities) return probabilities[(face * width + column) * classes + name] / 255;
  return predictedBy(face, column) === name ? confidence[face * width + column] / 255 : null;
}

// Of its nearest training face, from 0 to 1; null where none was looked for.
const likenessOf = (face) => (faceTable.nearest ? faceTable.nearest.percent[face * faceTable.nearest.each] / 100 : null);
