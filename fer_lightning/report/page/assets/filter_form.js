// The form of the filter: words, states, and for every column its levels or limits.

function levelBoxes(column, label) {
  const levels = [...column.levels, ...(column.cells.includes(null) ? [null] : [])];
  const boxes = levels.map((level) => {
    const box = make("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () =>
      setLevels(column.name, new Set(levels.filter((_, i) => boxes[i].checked))));
    return box;
  });
  whenFiltered.push(() => {
    const now = filter.levels.get(column.name);
    levels.forEach((level, i) => { boxes[i].checked = !now || now.has(level); });
  });
  return make("fieldset", {}, make("legend", {}, label),
    levels.map((level, i) => make("label", {}, boxes[i], level === null ? "not set" : level)));
}

function limitInputs(column) {
  const known = column.cells.filter((cell) => cell !== null);
  const ends = [["from", Math.min(...known)], ["to", Math.max(...known)]];
  const inputs = ends.map(([word, end]) => make("input", {
    type: "number", step: "any", "aria-label": `${heading(column)} ${word}`,
    placeholder: readable(column, end),
  }));
  const read = (input, open) => (input.value === "" ? open : storedUnit(column, Number(input.value)));
  const act = () => setLimits(column.name, read(inputs[0], -Infinity), read(inputs[1], Infinity));
  for (const input of inputs) input.addEventListener("change", act);
  whenFiltered.push(() => {
    const now = filter.limits.get(column.name) ?? { low: -Infinity, high: Infinity };
    [now.low, now.high].forEach((end, i) => {
      const text = Number.isFinite(end) ? String(Number(shownUnit(column, end).toPrecision(6))) : "";
      if (read(inputs[i], i ? Infinity : -Infinity) !== end) inputs[i].value = text;
    });
  });
  return make("fieldset", { class: "limits" }, make("legend", {}, heading(column)), inputs[0], " to ", inputs[1]);
}

function chipsOfFilter() {
  const chip = (text, remove) => make("span", { class: "chip" }, text,
    make("button", { type: "button", "aria-label": `Remove the filter ${text}`, on: { click: remove } }, "×"));
  const chips = [];
  if (filter.words) chips.push(chip(`“${filter.words}”`, () => { setWords(""); }));
  for (const [name, { low, high }] of filter.limits) {
    const column = columnOf.get(name);
    const from = Number.isFinite(low) ? `${readable(column, low)} ≤ ` : "";
    const to = Number.isFinite(high) ? ` ≤ ${readable(column, high)}` : "";
    chips.push(chip(`${from}${heading(column)}${to}`, () => setLimits(name)));
  }
  for (const [name, levels] of filter.levels) {
    const words = [...levels].map((level) => level ?? "not set").join(", ") || "none";
    chips.push(chip(`${name}: ${words}`, () => setLevels(name, new Set(columnOf.get(name).cells))));
  }
  return chips;
}

function buildFilterForm() {
  const words = make("input", { type: "search", id: "filter-words", placeholder: "arm, parameter, reason …" });
  words.addEventListener("input", () => setWords(words.value));
  const status = make("p", { class: "status", role: "status" });
  const chips = make("div", { class: "chips" });
  const fields = columns.filter((column) => column.name !== "state" && distinct(column) > 1 &&
    column.cells.some((cell) => cell !== null));
  const state = columnOf.get("state");
  replace(byId("filter"),
    make("div", { class: "filter-line" },
      make("label", { for: "filter-words" }, "Filter"), words,
      state.levels.length > 1 ? levelBoxes(state, "state") : null),
    make("details", { class: "filter-more" }, make("summary", {}, "Filter by parameter, metric, cost"),
      make("div", { class: "fields" }, fields.map((column) =>
        column.kind === "level" ? levelBoxes(column, column.name) : limitInputs(column)))),
    chips, status);
  const tell = () => {
    if (words.value !== filter.words) words.value = filter.words;
    status.textContent = `${kept.filter(Boolean).length} of ${runs.length} runs`;
    replace(chips, chipsOfFilter(), isFiltered() &&
      make("button", { type: "button", on: { click: clearFilter } }, "Show all runs"));
  };
  whenFiltered.push(tell);
  tell();
}
