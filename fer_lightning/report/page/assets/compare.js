// The chosen runs and arms side by side, made when it is asked for.

function groupHead(group, g) {
  return make("th", { scope: "col", class: `group colour-${g}` }, make("span", { class: "swatch" }), group.label);
}

function summaryOf(column, group) {
  const values = group.runs.map((index) => column.cells[index]).filter((value) => value !== null);
  if (!values.length) return "–";
  if (column.kind === "level" || values.length === 1) return [...new Set(values.map((value) => readable(column, value)))].join(", ");
  const centre = mean(values);
  const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1));
  return `${readable(column, centre)} ± ${readable(column, spread)}`;
}

function resultTable(groups) {
  const rows = columns.filter((column) => column.group === "metric" || ["state", "seed", "epochs", "time", "weights"].includes(column.name));
  const pooledRuns = groups.some((group) => group.runs.length > 1);
  return make("div", { class: "scrolls" }, make("table", { class: "plain" },
    make("caption", { class: "unseen" }, "Results"),
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, ""), groups.map(groupHead))),
    make("tbody", {},
      pooledRuns && make("tr", {}, make("th", { scope: "row" }, "runs"),
        groups.map((group) => make("td", { class: "number" }, group.runs.length))),
      rows.map((column) => make("tr", {}, make("th", { scope: "row" }, heading(column)),
        groups.map((group) => make("td", { class: "number" }, column.name === "seed"
          ? group.runs.map((index) => runs[index].seed).join(", ") : summaryOf(column, group))))))),
    pooledRuns && make("p", { class: "small" }, "Mean ± standard deviation over the runs of an arm."));
}

function configDifferences(groups) {
  const cells = (row, group) => [...new Set(group.runs.map((index) => (row.runs[index] < 0 ? "–" : row.values[row.runs[index]])))].join(", ");
  const rows = study.config.varying
    .map((row) => [row.key, groups.map((group) => cells(row, group))])
    .filter(([, values]) => new Set(values).size > 1);
  if (groups.some((group) => group.runs.every((index) => study.config.varying.every((row) => row.runs[index] < 0))) && study.config.varying.length)
    rows.push(["(no config.yaml)", groups.map((group) => (group.runs.some((index) => study.config.varying.some((row) => row.runs[index] >= 0)) ? "" : "missing"))]);
  if (!rows.length) return make("p", {}, "The configurations do not differ.");
  return make("div", { class: "scrolls" }, make("table", { class: "plain config" },
    make("caption", { class: "unseen" }, "Configuration: only what differs"),
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "key"), groups.map(groupHead))),
    make("tbody", {}, rows.map(([key, values]) => make("tr", {}, make("th", { scope: "row" }, key),
      values.map((value) => make("td", {}, value)))))));
}

// Written as pictures only when they are compared: until then they are text that nothing decodes.
function picture(index, kind) {
  const [address, width, height] = JSON.parse(byId(`picture-${runs[index].number}-${kind}`).textContent);
  const { method, settings, verdict, epoch, checked_on: checkedOn, synthetic, faces: named } = runs[index].sheets[kind];
  const whose = `${synthetic ? "synthetic images" : "images"}${named.length ? ` (${named.join(", ")})` : ""}`;
  const facts = [method, settings, epoch === null ? "" : `epoch ${epoch}`, synthetic ? "synthetic faces" : ""].filter(Boolean);
  return make("figure", { class: "saliency" },
    make("img", { src: address, width, height,
      alt: `Where ${runName(index)} looks: ${whose} and their saliency maps by ${method}. Trust checks: ${verdict}.` }),
    make("figcaption", {}, make("strong", {}, runName(index)), ` · ${facts.join(" · ")}`,
      make("p", { class: "trust" }, `Trust checks: ${verdict}${checkedOn ? ` (on ${checkedOn} images)` : ""}`)));
}

const SHEET_TITLES = { correct: "One image of each class", mistakes: "Mistakes that each run is surest of" };

function compareSaliency(groups) {
  // Of an arm the run of its first seed that has a picture stands for all; the others can be chosen one by one.
  const rows = Object.entries(SHEET_TITLES).map(([kind, title]) =>
    [kind, title, groups.map((group) => group.runs.find((index) => runs[index].sheets[kind]))]);
  const found = rows.filter(([, , shown]) => shown.some((index) => index !== undefined));
  if (!found.length) return make("p", {}, "No saliency grids are stored for these runs.");
  return found.flatMap(([kind, title, shown]) => [make("h4", {}, title),
    make("div", { class: "pictures" }, shown.map((index, g) => (index === undefined
      ? make("p", { class: "small" }, `${groups[g].label}: no such grid is stored.`) : picture(index, kind))))]);
}

function showComparison() {
  const place = byId("comparison");
  if (chosen.length < 2) {
    const how = study.kind === "ablation"
      ? "Choose two or more arms in the verdict's table, or runs in the table above: their checkboxes are in the first column."
      : "Choose two or more runs: their checkboxes are in the first column of the table above.";
    return replace(place, make("p", {}, how));
  }
  const groups = [...chosen];
  return replace(place,
    make("div", { class: "pair" },
      make("div", {}, make("h3", {}, "Results"), resultTable(groups)),
      make("div", {}, make("h3", {}, "Configuration: only what differs"), configDifferences(groups))),
    make("h3", {}, "Learning curves"), groupLegend(groups), compareCurves(groups, widthOf(place)),
    make("h3", {}, "Confusion"), compareConfusions(groups),
    make("h3", {}, "Saliency"), compareSaliency(groups));
}

function groupLegend(groups) {
  return make("p", { class: "legend" }, groups.map((group, g) =>
    make("span", { class: `colour-${g}` }, make("span", { class: "swatch" }), group.label)));
}
