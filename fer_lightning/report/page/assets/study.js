// The study's numbers, its columns, and how a value reads.

const study = JSON.parse(byId("study-data").textContent);
const runs = study.runs;

// The columns that every study has stand before those of its parameters and metrics.
function ownColumn(name, kind, cells) {
  const levels = [...new Set(cells.filter((cell) => cell !== null))];
  return { name, kind, group: "run", cells, levels: kind === "level" ? levels.sort() : null, log: false, unit: "", scale: 1 };
}

// The objective stands first: a search of ten parameters would push it out of sight.
const objectives = study.columns.filter((column) => column.group === "metric").slice(0, 1);

const columns = [
  ownColumn("run", "number", runs.map((run) => run.number)),
  ownColumn("state", "level", runs.map((run) => run.state)),
  ...(runs.some((run) => run.arm !== null) ? [ownColumn("arm", "level", runs.map((run) => run.arm))] : []),
  ...(runs.some((run) => run.stage !== "plain") ? [ownColumn("stage", "level", runs.map((run) => run.stage))] : []),
  ...(new Set(runs.map((run) => run.seed).filter((seed) => seed !== null)).size > 1 ? [ownColumn("seed", "number", runs.map((run) => run.seed))] : []),
  ...(runs.some((run) => run.fold !== null) ? [ownColumn("fold", "number", runs.map((run) => run.fold))] : []),
  ...objectives,
  ...study.columns.filter((column) => !objectives.includes(column)),
];
const columnOf = new Map(columns.map((column) => [column.name, column]));
const objective = objectives[0];
const parameters = study.columns.filter((column) => column.group === "parameter" && distinct(column) > 1);

function distinct(column) {
  return new Set(column.cells).size;
}

const isComplete = (index) => runs[index].state === "complete";

// A share is stored as a fraction and shown in per cent; everything else is shown as it is.
const shownUnit = (column, value) => column.scale * value;
const storedUnit = (column, value) => value / column.scale;

function number(value) {
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e7) return String(value);
  if (size >= 1e5 || size < 1e-3) return value.toExponential(2).replace(/\.?0+e/, "e");
  return String(Number(value.toPrecision(4)));
}

// As the tables show it: what would take more than six decimals has an exponent.
const fixed = (value, digits) => (digits > 6 ? number(value) : value.toFixed(digits));

function readable(column, value) {
  if (value === null || value === undefined) return "–";
  if (column.kind === "level") return value;
  if (column.group === "metric") return fixed(shownUnit(column, value), column.digits);
  if (column.unit === "s") return value < 100 ? value.toFixed(1) : value.toFixed(0);
  return number(value);
}

const heading = (column) => (column.unit ? `${column.name} ${column.unit}` : column.name);

function runName(index) {
  const run = runs[index];
  if (run.name) return run.name;
  const stage = run.stage === "plain" ? "" : ` (${run.stage})`;
  return run.arm === null ? `run ${run.number}` : `run ${run.number}: ${run.arm}, seed ${run.seed}${run.fold === null ? "" : `, fold ${run.fold}`}${stage}`;
}

function runTip(index) {
  const lines = [runName(index), runs[index].state];
  if (objective && objective.cells[index] !== null)
    lines.push(`${heading(objective)}: ${readable(objective, objective.cells[index])}`);
  for (const column of parameters)
    if (column.cells[index] !== null) lines.push(`${column.name}: ${readable(column, column.cells[index])}`);
  return lines.join("\n");
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// What runs of other class names took for what cannot be compared class by class.
function confusionOf(index) {
  const { confusion, classes } = runs[index];
  return confusion && classes.length === study.classes.length && classes.every((name, i) => name === study.classes[i])
    ? confusion : null;
}
