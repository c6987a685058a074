// The table of all runs: sorted by a click on a heading, kept by the filter.

const AT_ONCE = 1000;
const sorting = { name: null, sign: 1 };
let rowLimit = AT_ONCE;

// Runs without a value come last, whichever way round.
function compareRuns(column, sign) {
  return (a, b) => {
    const x = column.cells[a], y = column.cells[b];
    if (x === null || y === null) return (x === null) - (y === null) || a - b;
    const order = column.kind === "number" ? x - y : x.localeCompare(y, "en", { numeric: true });
    return sign * order || a - b;
  };
}

function orderedRuns() {
  const shown = runs.map((_, index) => index).filter((index) => kept[index]);
  if (sorting.name === null) return shown;
  return shown.sort(compareRuns(columnOf.get(sorting.name), sorting.sign));
}

function sortBy(column) {
  // A metric is sorted best first; everything else from its start.
  const first = column.higher === true ? -1 : 1;
  if (sorting.name === column.name) sorting.sign *= -1;
  else { sorting.name = column.name; sorting.sign = first; }
  showRows();
}

function cellOf(column, index) {
  const value = column.cells[index];
  if (column.name === "state") {
    const reason = runs[index].reason;
    // "pruned after epoch 2" says the state itself.
    const words = reason && reason.startsWith(value) ? reason : value;
    return make("td", {}, make("span", { class: "state", "data-state": value }, words),
      reason && words !== reason && make("span", { class: "reason small", title: reason }, reason));
  }
  const early = column.name === study.metric && runs[index].state === "pruned" && value !== null;
  const attributes = { class: [column.kind === "number" && "number", column.name === "arm" && "arm", early && "early"].filter(Boolean).join(" ") };
  if (early) attributes.title = "the last value before it was pruned";
  return make(column.name === "run" ? "th" : "td",
    column.name === "run" ? { ...attributes, scope: "row" } : attributes, readable(column, value));
}

function rowOf(index) {
  const group = runGroup(index);
  const box = make("input", { type: "checkbox", "aria-label": `Compare ${group.label}`, "data-choose": index });
  box.checked = isChosen(group.key);
  box.addEventListener("change", () => { box.checked = toggle(group) && isChosen(group.key); });
  return make("tr", { "data-index": index, "data-state": runs[index].state },
    make("td", { class: "choose" }, box), columns.map((column) => cellOf(column, index)));
}

const rowCache = new Map();

function showRows() {
  const order = orderedRuns();
  const body = byId("rows");
  const rows = order.slice(0, rowLimit).map((index) => {
    if (!rowCache.has(index)) rowCache.set(index, rowOf(index));
    return rowCache.get(index);
  });
  body.replaceChildren(...rows);
  for (const head of byId("heads").children) {
    const name = head.dataset.column;
    if (!name) continue;
    if (name === sorting.name) head.setAttribute("aria-sort", sorting.sign > 0 ? "ascending" : "descending");
    else head.removeAttribute("aria-sort");
  }
  const more = byId("more-rows");
  more.hidden = order.length <= rowLimit;
  more.textContent = `Show the other ${order.length - rowLimit} runs`;
}

function buildTable() {
  const heads = columns.map((column) => make("th", { scope: "col", "data-column": column.name, class: column.kind === "number" ? "number" : null },
    make("button", { type: "button", on: { click: () => sortBy(column) } }, heading(column))));
  replace(byId("table"), make("table", { class: "runs" },
    make("thead", {}, make("tr", { id: "heads" }, make("th", { scope: "col" }, make("span", { class: "unseen" }, "Choose for comparison")), heads)),
    make("tbody", { id: "rows" })),
    make("button", { type: "button", id: "more-rows", hidden: true, on: { click: () => { rowLimit = Infinity; showRows(); } } }));
  showRows();
  whenFiltered.push(showRows);
  whenChosen.push(() => {
    for (const [index, row] of rowCache) row.querySelector("input").checked = isChosen(runGroup(index).key);
  });
}
