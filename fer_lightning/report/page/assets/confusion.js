// Confusion matrices as tables: what was taken for what, and how that differs from the first one chosen.

function pooled(group) {
  const found = group.runs.map(confusionOf).filter(Boolean);
  if (!found.length) return null;
  return { counts: study.classes.map((_, i) => study.classes.map((_, j) =>
    found.reduce((sum, counts) => sum + counts[i][j], 0))), runs: found.length };
}

const faces = (counts, i) => counts[i].reduce((sum, count) => sum + count, 0);
const share = (counts, i, j) => (faces(counts, i) ? counts[i][j] / faces(counts, i) : null);
const signed = (value, digits = 1) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(digits)}`;

// Agresti & Caffo (2000): one imagined face in the cell and one outside keep rare confusions honest.
function beyondChance(first, second, i, j) {
  const parts = [first, second].map((counts) => {
    const n = faces(counts, i) + 2, p = (counts[i][j] + 1) / n;
    return { p, variance: p * (1 - p) / n };
  });
  const error = Math.sqrt(parts[0].variance + parts[1].variance);
  return Math.abs(parts[1].p - parts[0].p) > study.cell_quantile * error;
}

function matrixTable(caption, cell) {
  return make("div", { class: "scrolls", tabindex: 0, role: "group", "aria-label": caption }, make("table", { class: "matrix" },
    make("caption", {}, caption),
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, make("span", { class: "small" }, "true ↓"), make("span", { class: "small" }, "taken for →")),
      study.classes.map((name) => make("th", { scope: "col" }, make("span", {}, name))))),
    make("tbody", {}, study.classes.map((name, i) =>
      make("tr", {}, make("th", { scope: "row" }, name), study.classes.map((_, j) => cell(i, j)))))));
}

function shadedCell(text, tone, strength, tip, extra = "") {
  return make("td", { class: `cell ${tone} ${extra}`, "data-tip": tip, style: { "--strength": strength.toFixed(3) } }, text);
}

function countsTable(group, matrix, asShares) {
  const { counts } = matrix;
  const title = `${group.label}${matrix.runs > 1 ? ` (${matrix.runs} runs together)` : ""}`;
  return matrixTable(title, (i, j) => {
    const part = share(counts, i, j);
    const tip = `${study.classes[i]} taken for ${study.classes[j]}: ${counts[i][j]} of ${faces(counts, i)} faces`;
    const text = asShares ? (part === null ? "–" : (100 * part).toFixed(0)) : counts[i][j];
    const content = counts[i][j] ? cellLink(text, [group], i, j, tip) : text;
    return shadedCell(content, "more", part ?? 0, tip, i === j ? "diagonal" : "");
  });
}

// Blue where the second has more right or fewer wrong answers, orange where it is the other way round.
function differenceTable(first, second, pair, judged) {
  return matrixTable(`${pair[1].label} minus ${pair[0].label}, points`, (i, j) => {
    const before = share(first.counts, i, j), after = share(second.counts, i, j);
    if (before === null || after === null) return shadedCell("–", "more", 0, "no faces");
    const change = 100 * (after - before);
    const good = (change > 0) === (i === j);
    const sure = judged && beyondChance(first.counts, second.counts, i, j);
    const tip = `${study.classes[i]} taken for ${study.classes[j]}: ${(100 * before).toFixed(1)} % before, ${(100 * after).toFixed(1)} % now` +
      (sure ? "\nmore than chance over images" : "");
    const text = Math.abs(change) < 0.05 ? "0" : signed(change, Math.abs(change) < 9.95 ? 1 : 0);
    const content = first.counts[i][j] || second.counts[i][j] ? cellLink(text, pair, i, j, tip) : text;
    return shadedCell(content, good ? "blue" : "orange", Math.min(Math.abs(change) / 30, 1), tip,
      [i === j && "diagonal", sure && "sure"].filter(Boolean).join(" "));
  });
}

function recallTable(groups, matrices) {
  const first = matrices.find(Boolean);
  const cell = (matrix, i) => {
    const now = matrix && share(matrix.counts, i, i);
    if (now === null) return make("td", { class: "number" }, "–");
    const change = 100 * (now - share(first.counts, i, i));
    return make("td", { class: "number" }, `${(100 * now).toFixed(1)} %`,
      matrix !== first && make("span", { class: `change ${change > 0 ? "up" : change < 0 ? "down" : ""}` }, ` ${signed(change)}`));
  };
  return make("div", { class: "scrolls" },
    make("p", { class: "small" }, "Recall of each class, the share of its images that is named right, and its difference from the first in points:"),
    make("table", { class: "plain" }, make("caption", { class: "unseen" }, "Recall of each class"),
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "class"), groups.map((group, g) => groupHead(group, g)))),
    make("tbody", {}, study.classes.map((name, i) => make("tr", {}, make("th", { scope: "row" }, name),
      matrices.map((matrix) => cell(matrix, i)))))));
}

let asShares = true;

function compareConfusions(groups) {
  const matrices = groups.map(pooled);
  const known = groups.map((_, g) => g).filter((g) => matrices[g]);
  if (!known.length) return make("p", {}, "No predictions are stored for these runs.");
  const first = known[0];
  const box = make("input", { type: "checkbox", checked: asShares });
  const single = (g) => groups[g].runs.length === 1;
  const tables = make("div", { class: "matrices" });
  const show = () => replace(tables,
    known.map((g) => countsTable(groups[g], matrices[g], asShares)),
    known.slice(1).map((g) => differenceTable(matrices[first], matrices[g],
      [groups[first], groups[g]], single(first) && single(g))));
  box.addEventListener("change", () => { asShares = box.checked; show(); });
  show();
  const bold = known.slice(1).some((g) => single(first) && single(g))
    ? " Bold: more than chance over images (95 %, all cells together); another seed moves them too." : "";
  return [
    make("label", {}, box, "show per cent of each true class instead of counts"), tables,
    known.length > 1 && make("p", { class: "small" },
      `Differences: blue where the second has more right or fewer wrong answers, orange the other way round.${bold}`),
    rightAndWrong(groups),
    recallTable(groups, matrices),
  ].filter(Boolean);
}
