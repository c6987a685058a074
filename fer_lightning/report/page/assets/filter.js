// Which runs are kept: by words, by the levels of a column, by the limits of a number.

const filter = { words: "", limits: new Map(), levels: new Map() };
const whenFiltered = [];
let kept = runs.map(() => true);

const searchText = runs.map((run, index) => [run.number, runName(index), run.state, run.reason, run.folder, run.note,
  ...run.overrides, ...columns.filter((column) => column.kind === "level").map((column) => column.cells[index])]
  .filter((part) => part !== null && part !== undefined).join(" ").toLowerCase());

function passes(index) {
  for (const word of filter.words.toLowerCase().split(/\s+/))
    if (word && !searchText[index].includes(word)) return false;
  for (const [name, { low, high }] of filter.limits) {
    const value = columnOf.get(name).cells[index];
    if (value === null || value < low || value > high) return false;
  }
  for (const [name, levels] of filter.levels)
    if (!levels.has(columnOf.get(name).cells[index])) return false;
  return true;
}

function applyFilter() {
  kept = runs.map((_, index) => passes(index));
  for (const act of whenFiltered) act();
}

function setWords(words) {
  filter.words = words;
  applyFilter();
}

// Limits are in the stored unit; both open means no limit.
function setLimits(name, low = -Infinity, high = Infinity) {
  if (low === -Infinity && high === Infinity) filter.limits.delete(name);
  else filter.limits.set(name, { low, high });
  applyFilter();
}

// All levels kept means no filter; null stands for "not set".
function setLevels(name, levels) {
  const all = new Set(columnOf.get(name).cells);
  if ([...all].every((level) => levels.has(level))) filter.levels.delete(name);
  else filter.levels.set(name, levels);
  applyFilter();
}

function clearFilter() {
  filter.words = "";
  filter.limits.clear();
  filter.levels.clear();
  applyFilter();
}

const isFiltered = () => Boolean(filter.words || filter.limits.size || filter.levels.size);
