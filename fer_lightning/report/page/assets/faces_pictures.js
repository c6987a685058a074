// The faces' pictures lie on one sheet, which is decoded once; each is drawn from it onto a canvas of its own.

const sheets = new Map();

function loadSheet(kind) {
  if (!sheets.has(kind)) sheets.set(kind, decodeSheet(kind));
  return sheets.get(kind);
}

async function decodeSheet(kind) {
  const place = byId(`sprite-${kind}`);
  if (!place) return null;
  const image = new Image();
  image.src = JSON.parse(place.textContent);
  try { await image.decode(); } catch { return null; }
  return image;
}

// A canvas with the picture at that place of a sheet; without pictures a box with the face's name.
function facePicture(kind, layout, place, name, words) {
  if (!layout) return make("span", { class: "no-picture", role: "img", "aria-label": words }, name);
  const { size, columns: across } = layout;
  const canvas = make("canvas", { width: size, height: size, role: "img", "aria-label": words });
  loadSheet(kind).then((image) => {
    if (image) canvas.getContext("2d").drawImage(image, (place % across) * size, Math.floor(place / across) * size, size, size, 0, 0, size, size);
  });
  return canvas;
}
