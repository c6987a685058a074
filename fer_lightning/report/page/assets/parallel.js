// Parallel coordinates: one line a run, and along each axis a brush that filters the table.

const BELOW = -0.1;

function parallelAxes() {
  const axes = [...parameters, ...(objective && distinct(objective) > 1 ? [objective] : [])]
    .filter((column) => column.cells.some((cell) => cell !== null));
  return axes.map((column) => ({ column, scale: columnScale(column) }));
}

// Fifths of the complete runs by their value, the best 4; pruned, infeasible and failed runs have none.
function grades() {
  const done = runs.map((_, index) => index).filter((index) => isComplete(index) && objective?.cells[index] !== null);
  done.sort((a, b) => (study.higher ? 1 : -1) * (objective.cells[a] - objective.cells[b]));
  return new Map(done.map((index, rank) => [index, Math.min(Math.floor((5 * rank) / done.length), 4)]));
}

const parallelState = { lines: [], brushes: [] };

function drawParallel() {
  const place = byId("parallel");
  const axes = parallelAxes();
  if (axes.length < 2) return replace(place, make("p", {}, "No parameter varies between the runs."));
  const longest = Math.max(...axes.map(({ scale }) => Math.max(...scale.ticks.map(([, text]) => text.length))));
  const gap = Math.max(92, 24 + 7 * longest);
  const width = Math.max(widthOf(place), 60 + gap * axes.length), height = 380;
  const box = { left: 40, top: 48, width: width - 60 - Math.max(gap - 40, 0), height: height - 92 };
  axes.forEach((axis, i) => { axis.x = box.left + (box.width * i) / (axes.length - 1); });
  const toY = (place01) => box.top + box.height * (1 - (place01 ?? BELOW));
  const svg = chart(width, height, `Parallel coordinates of ${runs.length} runs over ${axes.map(({ column }) => column.name).join(", ")}`);
  svg.append(parallelLines(axes, toY), ...axes.map((axis, i) => parallelAxis(axis, i, box, toY, gap, axes)));
  if (axes.some(({ column }) => column.cells.includes(null)))
    svg.append(draw("text", { class: "tick", x: 2, y: toY(BELOW) + 4 }, "not set"));
  replace(place, svg);
  return markDrawings();
}

function parallelLines(axes, toY) {
  const grade = grades();
  const order = runs.map((_, index) => index).sort((a, b) => (grade.get(a) ?? -1) - (grade.get(b) ?? -1));
  const group = draw("g", { class: "lines" });
  parallelState.lines = [];
  for (const index of order) {
    if (axes.every(({ column }) => column.cells[index] === null)) continue;
    const d = axes.map(({ column, scale, x }, i) => `${i ? "L" : "M"}${x.toFixed(1)},${toY(scale.at(column.cells[index])).toFixed(1)}`).join("");
    const kind = grade.has(index) ? `grade-${grade.get(index)}` : "unfinished";
    const line = draw("path", { class: `line ${kind}`, d, "data-run": index, "data-tip": "" });
    parallelState.lines.push([index, line]);
    group.append(line);
  }
  return group;
}

// The ticks whose texts do not touch: both ends, and of the others each that has room.
function apart(ticks, toY) {
  const order = [...ticks].sort(([a], [b]) => a - b);
  const kept = [];
  for (const tick of [order[0], order[order.length - 1], ...order.slice(1, -1)])
    if (kept.every((other) => Math.abs(toY(other[0]) - toY(tick[0])) >= 14)) kept.push(tick);
  return kept;
}

function parallelAxis(axis, position, box, toY, gap, axes) {
  const { column, scale, x } = axis;
  const group = draw("g", { class: "parallel-axis" });
  const words = column.name.split(".");
  const name = words.pop();
  const last = position === axes.length - 1;
  group.append(
    draw("text", { class: "label", x, y: 30, "text-anchor": position ? "middle" : "start", dx: position ? 0 : -20 }, column === objective ? heading(column) : name),
    draw("text", { class: "tick", x, y: 16, "text-anchor": position ? "middle" : "start", dx: position ? 0 : -20 }, column === objective ? "" : words.join(".")),
    draw("line", { class: "axis", x1: x, x2: x, y1: box.top, y2: box.top + box.height }),
  );
  for (const [at, text] of apart(scale.ticks, toY))
    group.append(draw("text", { class: "tick halo", x: x + 7, y: toY(at) + 4 }, text));
  const brush = draw("rect", { class: "brush", x: x - 8, width: 16, y: 0, height: 0, visibility: "hidden" });
  const hit = draw("rect", { class: "hit axis-hit", x: x - 16, width: last ? 32 : 32, y: box.top - 10, height: box.height + 30, "data-axis": column.name });
  bindBrush(hit, brush, axis, box, toY);
  group.append(brush, hit);
  return group;
}

function bindBrush(hit, brush, { column, scale }, box, toY) {
  let from = null;
  const placeOf = (event) => {
    const area = hit.getBoundingClientRect();
    const unit = area.height / (box.height + 30);
    return Math.min(Math.max(1 - ((event.clientY - area.top) / unit - 10) / box.height, BELOW), 1.03);
  };
  const paint = (a, b) => {
    brush.setAttribute("y", Math.min(toY(a), toY(b)));
    brush.setAttribute("height", Math.max(Math.abs(toY(a) - toY(b)), 1));
    brush.setAttribute("visibility", "visible");
  };
  hit.addEventListener("pointerdown", (event) => {
    from = placeOf(event);
    hit.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  hit.addEventListener("pointermove", (event) => { if (from !== null) paint(from, placeOf(event)); });
  hit.addEventListener("pointercancel", () => { from = null; markDrawings(); });
  hit.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const [low, high] = [from, placeOf(event)].sort((a, b) => a - b);
    from = null;
    if (high - low < 0.012) release(column);
    else keepBetween(column, scale, low, high);
  });
  parallelState.brushes = parallelState.brushes.filter((entry) => entry.column !== column);
  parallelState.brushes.push({ column, scale, brush, paint });
}

function release(column) {
  if (column.kind === "level") setLevels(column.name, new Set(column.cells));
  else setLimits(column.name);
}

function keepBetween(column, scale, low, high) {
  if (column.kind === "level") {
    const inside = column.levels.filter((level) => scale.at(level) >= low - 1e-9 && scale.at(level) <= high + 1e-9);
    setLevels(column.name, new Set(low <= BELOW / 2 ? [...inside, null] : inside));
  } else setLimits(column.name, low <= 0 ? -Infinity : scale.value(low), high >= 1 ? Infinity : scale.value(high));
}

// Fade what the filter leaves out in every drawing, and show limits that were typed as brushes too.
function markDrawings() {
  for (const [index, line] of parallelState.lines) line.classList.toggle("out", !kept[index]);
  for (const { column, scale, brush, paint } of parallelState.brushes) {
    const limits = filter.limits.get(column.name), levels = filter.levels.get(column.name);
    if (limits)
      paint(Number.isFinite(limits.low) ? scale.at(limits.low) : -0.02, Number.isFinite(limits.high) ? scale.at(limits.high) : 1.02);
    else if (levels && levels.size) {
      const places = [...levels].map((level) => scale.at(level) ?? BELOW);
      paint(Math.min(...places) - 0.02, Math.max(...places) + 0.02);
    } else brush.setAttribute("visibility", "hidden");
  }
  for (const node of document.querySelectorAll("#slices .mark, #history .mark"))
    node.classList.toggle("out", !kept[Number(node.dataset.run)]);
}
