// The objective against one parameter at a time.

// Equal levels are spread a little, the same way at every drawing, so that their points stay apart.
const jitter = (index) => (((index * 2654435761) % 1000) / 1000 - 0.5);

function slice(column, width) {
  const scale = columnScale(column);
  const shown = runs.map((_, index) => index).filter((index) => column.cells[index] !== null && objective.cells[index] !== null);
  const long = column.kind === "level" && Math.max(...column.levels.map((level) => level.length)) * 7 > (width - 60) / column.levels.length;
  const height = long ? 250 : 220;
  const box = { left: 46, top: 26, width: width - 60, height: long ? 150 : 148 };
  const y = linear(objective.cells.filter((cell) => cell !== null), objective, 4);
  const inset = column.kind === "level" ? 0.12 : 0.03;
  const at = (value) => inset + (1 - 2 * inset) * scale.at(value);
  const svg = chart(width, height, `${study.metric} by ${column.name}`);
  const all = scale.ticks.map(([place, text]) => [inset + (1 - 2 * inset) * place, text]);
  // Every level keeps its name; of numbers those that would touch are left out.
  const ticks = [];
  for (const tick of all) {
    const room = ticks.length ? (tick[0] - ticks.at(-1)[0]) * box.width : Infinity;
    if (column.kind === "level" || room > 4 * (tick[1].length + ticks.at(-1)?.[1].length) + 4 || !ticks.length) ticks.push(tick);
  }
  frame(svg, box, { ticks, label: column.name, turned: long, below: long ? 66 : 36 }, { ticks: y.ticks, label: heading(objective) });
  const spread = column.kind === "level" ? Math.min(0.5 / Math.max(column.levels.length, 1), 0.12) : 0;
  for (const index of shown) {
    const x = box.left + box.width * (at(column.cells[index]) + spread * jitter(index));
    const kind = ["pruned", "infeasible"].includes(runs[index].state) ? runs[index].state : "complete";
    svg.append(mark(x, box.top + box.height * (1 - y.at(objective.cells[index])), index, kind));
  }
  return svg;
}

function drawSlices() {
  const place = byId("slices");
  const drawn = parameters.filter((column) => column.cells.some((cell) => cell !== null));
  if (!objective || !drawn.length || objective.cells.every((cell) => cell === null))
    return replace(place, make("p", {}, "No parameter varies between the runs."));
  const room = widthOf(place), across = Math.max(1, Math.min(4, Math.floor(room / 270), drawn.length));
  const width = Math.min(Math.floor((room - 16 * (across - 1)) / across), 420);
  replace(place, drawn.map((column) => slice(column, width)));
  return markDrawings();
}
