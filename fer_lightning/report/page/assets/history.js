// A search over time: each run's value, the best so far, and how much each parameter matters.

function drawHistory() {
  const place = byId("history");
  const { complete, pruned, infeasible, failed, best } = study.history;
  const values = [...complete, ...pruned, ...infeasible].map(([, value]) => value);
  if (!values.length) return replace(place, make("p", {}, "No run has a value yet."));
  const width = widthOf(place), height = 260;
  const box = { left: 48, top: 26, width: width - 60, height: height - 74 };
  const y = linear(values, objective), last = Math.max(...runs.map((run) => run.number), 1);
  const toX = (run) => box.left + box.width * run / last;
  const toY = (value) => box.top + box.height * (1 - y.at(value));
  const svg = chart(width, height, `History of ${study.metric} over ${runs.length} runs`);
  const ticks = niceTicks(0, last, 6).filter(Number.isInteger).map((tick) => [tick / last, String(tick)]);
  frame(svg, box, { ticks, label: "run" }, { ticks: y.ticks, label: heading(objective) });
  const index = new Map(runs.map((run, i) => [run.number, i]));
  for (const run of failed)
    svg.append(draw("path", { class: "mark failed", d: `M${toX(run)},${box.top + box.height - 9}v9`, "data-run": index.get(run), "data-tip": "" }));
  for (const [run, value] of pruned) svg.append(mark(toX(run), toY(value), index.get(run), "pruned"));
  for (const [run, value] of infeasible) svg.append(mark(toX(run), toY(value), index.get(run), "infeasible"));
  for (const [run, value] of complete) svg.append(mark(toX(run), toY(value), index.get(run), "complete"));
  if (best.length) {
    const steps = best.map(([run, value], i) => (i ? `H${toX(run).toFixed(1)}V${toY(value).toFixed(1)}` : `M${toX(run)},${toY(value)}`));
    svg.append(draw("path", { class: "best", d: steps.join("") }));
  }
  const last_best = best.at(-1);
  replace(place, svg, make("p", { class: "small" },
    `${complete.length} complete (dots), ${pruned.length} pruned (crosses, at their last value), ${infeasible.length ? `${infeasible.length} infeasible (diamonds), ` : ""}${failed.length} failed (ticks below); ` +
    (last_best ? `line: the best so far, ${readable(objective, last_best[1])}${objective.unit && ` ${objective.unit}`}.` : "none complete.")));
  return markDrawings();
}

function showImportance() {
  const rows = study.importance;
  if (!rows.length) return replace(byId("importance"), make("p", {}, "Not told: it takes ten complete runs that differ, and two parameters that vary."));
  const most = Math.max(...rows.map(([, share]) => share));
  return replace(byId("importance"), make("table", { class: "bars" }, make("tbody", {}, rows.map(([name, share]) =>
    make("tr", {}, make("th", { scope: "row" }, name),
      make("td", {}, make("span", { class: "bar", style: { width: `${(100 * share / most).toFixed(1)}%` } })),
      make("td", { class: "number" }, `${(100 * share).toFixed(1)} %`))))));
}
