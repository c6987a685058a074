// What may be asked of the gallery.

function field(label, node, extra = "") {
  return make("label", { class: `field ${extra}` }, make("span", {}, label), node);
}

const option = ([value, text]) => make("option", { value }, text);

// A choice of one key of the look; its texts may follow the others.
function choice(key, options, label, extra) {
  const node = make("select", { name: key });
  const read = (text) => (typeof look[key] === "number" ? Number(text) : text);
  node.addEventListener("change", () => setLook({ [key]: read(node.value) }));
  const tell = () => { replace(node, options().map(option)); node.value = String(look[key]); };
  whenLooked.push(tell);
  return field(label, node, extra);
}

function groupChoice(key, label, none) {
  const node = make("select", { name: key });
  const { all, arms, runs: single } = faceGroups();
  const entry = (group) => option([group.key, group.label]);
  replace(node, none && option(["", none]), all.map(entry), arms.length && make("optgroup", { label: "arms" }, arms.map(entry)),
    single.length && make("optgroup", { label: "single runs" }, single.map(entry)));
  node.addEventListener("change", () => setLook({ [key]: node.value }));
  whenLooked.push(() => { node.value = look[key]; });
  return field([make("span", { class: "swatch" }), label], node, `wide colour-${key === "first" ? 0 : 1}`);
}

// From and to; `scale` is what a value is multiplied by where it is shown.
function limitFields(low, high, label, scale, tip) {
  const inputs = [[low, "from"], [high, "to"]].map(([key, word]) => {
    const input = make("input", { type: "number", min: 0, step: 1, name: key, "aria-label": `${label} ${word}`, placeholder: word });
    input.addEventListener("change", () => setLook({ [key]: input.value === "" ? null : Number(input.value) / scale }));
    whenLooked.push(() => { input.value = look[key] === null ? "" : String(Math.round(look[key] * scale)); });
    return input;
  });
  const words = make("span", {});
  whenLooked.push(() => { words.textContent = tip ? `${label} ${tip()}` : label; });
  return make("span", { class: "field limits" }, words, make("span", {}, inputs[0], " – ", inputs[1]));
}

const classChoices = () => [[ANY, "any"], ...study.classes.map((name, place) => [place, name])];

function differChoices() {
  const [first, second] = lookedAtBy().map((group) => group.label);
  const says = look.named === ANY ? "is right" : `says ${study.classes[look.named]}`;
  return [["", "all"], ["first", `${first} ${says} more often`], ["second", `${second} ${says} more often`], ["either", `one ${says} more often`]];
}

function sortChoices() {
  return [["order", "order of the data"], ["truth", "true class"], ["named", "predicted class"], ["right", "share right"],
    ["confidence", "probability"], ...(look.second ? [["difference", "difference of the two"]] : []),
    ...(faceTable.nearest ? [["likeness", "likeness to a training face"]] : [])];
}

function statusWords() {
  const shown = shownFaces.length === 1 ? "1 face" : `${shownFaces.length.toLocaleString("en")} faces`;
  const says = look.named === ANY ? "is right" : `says ${study.classes[look.named]}`;
  return [`${shown} of ${faceTable.count.toLocaleString("en")}`, make("span", { class: "small" }, ` · below each: in how many runs it ${says}`)];
}

function buildFacesForm(place) {
  const swap = make("button", { type: "button", on: { click: () => setLook({ first: look.second, second: look.first,
    differ: { first: "second", second: "first" }[look.differ] ?? look.differ }) } }, "⇄ swap");
  const turn = make("button", { type: "button", on: { click: () => setLook({ sign: -look.sign }) } });
  const differ = choice("differ", () => (look.second ? differChoices() : [["", "all"]]), "faces", "wide");
  const status = make("p", { class: "status", role: "status" });
  const most = () => Math.max(...countsOf(faceGroup(look.first)).seen);
  // One model alone has nothing to be set beside.
  place.append(
    make("div", { class: "faces-form", hidden: facesInfo.runs.length < 2 },
      groupChoice("first", "seen by"), groupChoice("second", "beside", "none"), swap, differ),
    make("div", { class: "faces-form" },
      choice("truth", classChoices, "true class"), choice("named", classChoices, "predicted class"),
      limitFields("least", "most", "right in", 1, () => `(of ${most()})`),
      limitFields("sureFrom", "sureTo", "probability, %", 100),
      faceTable.copies && choice("copies", () => [["any", "any"], ["exact", "exact copy"], ["near", "copy or near copy"], ["none", "neither"]], "copy in training"),
      faceTable.slices && choice("slice", sliceChoices, "slice"),
      choice("sort", sortChoices, "sorted by"), turn,
      make("button", { type: "button", on: { click: () => setLook({ ...everyFace, sort: "order", sign: 1 }) } }, "Show all faces")),
    status);
  whenLooked.push(() => {
    differ.hidden = swap.hidden = !look.second;
    turn.textContent = look.sign > 0 ? "▲ rising" : "▼ falling";
    turn.setAttribute("aria-label", `Turn the order round; now ${look.sign > 0 ? "rising" : "falling"}`);
    replace(status, statusWords());
  });
}
