// The effect plot: one row of the verdict table for each arm, all on one axis.

const SHAPES = { better: "M0,-6L6,5H-6Z", worse: "M0,6L6,-5H-6Z", "no spread between seeds": "M-5,-5H5V5H-5Z" };

function forestRow(data, row, width) {
  const height = 34, middle = 15, edge = 8;
  const at = (value) => edge + (width - 2 * edge) * (value / data.limit + 1) / 2;
  const inside = (value) => Math.min(Math.max(at(value), 2), width - 2);
  const svg = chart(width, height, "");
  svg.setAttribute("aria-hidden", "true");
  svg.append(draw("line", { class: "zero", x1: at(0), x2: at(0), y1: 0, y2: height }));
  const effect = row.effect;
  if (!effect) return svg;
  const group = draw("g", { class: "effect-mark", "data-verdict": row.verdict });
  const seeds = effect.seeds.map((value, i) => `seed ${effect.of[i]}: ${value > 0 ? "+" : ""}${fixed(value, data.digits)}`);
  group.setAttribute("data-tip", [row.arm, ...seeds].join("\n"));
  group.append(draw("rect", { class: "hit", x: 0, y: 0, width, height }));
  if (Math.abs(effect.mean) > data.limit) {
    const side = Math.sign(effect.mean);
    group.append(draw("path", { class: "point", d: "M6,0L-5,6V-6Z", transform: `translate(${side > 0 ? width - 7 : 7} ${middle}) scale(${side} 1)` }));
    svg.append(group);
    return svg;
  }
  if (effect.low !== null)
    group.append(draw("line", { class: "interval", x1: inside(effect.low), x2: inside(effect.high), y1: middle, y2: middle }));
  for (const value of effect.seeds)
    if (Math.abs(value) <= data.limit) group.append(draw("circle", { class: "seed", cx: at(value), cy: middle + 12, r: 2.2 }));
  const shape = SHAPES[row.verdict];
  group.append(shape
    ? draw("path", { class: "point", d: shape, transform: `translate(${at(effect.mean)} ${middle})` })
    : draw("circle", { class: "point", cx: at(effect.mean), cy: middle, r: 5 }));
  svg.append(group);
  return svg;
}

function forestAxis(data, width) {
  const edge = 8;
  const at = (value) => edge + (width - 2 * edge) * (value / data.limit + 1) / 2;
  const svg = chart(width, 40, "");
  svg.setAttribute("aria-hidden", "true");
  svg.append(draw("line", { class: "axis", x1: edge, x2: width - edge, y1: 1, y2: 1 }));
  for (const tick of niceTicks(-data.limit, data.limit, width < 220 ? 3 : 5))
    svg.append(
      draw("line", { class: "axis", x1: at(tick), x2: at(tick), y1: 1, y2: 5 }),
      draw("text", { class: "tick", x: at(tick), y: 17, "text-anchor": "middle" }, `${tick > 0 ? "+" : ""}${number(tick)}`),
    );
  svg.append(
    draw("text", { class: "tick", x: 2, y: 34 }, data.higher ? "← worse" : "← better"),
    draw("text", { class: "tick", x: width - 2, y: 34, "text-anchor": "end" }, data.higher ? "better →" : "worse →"),
  );
  return svg;
}

function drawForest() {
  for (const table of document.querySelectorAll("[data-forest]")) {
    const data = study[table.dataset.forest];
    const cells = [...table.tBodies[0].querySelectorAll("td.effect")];
    const axis = table.querySelector("td.axis");
    for (const cell of [...cells, axis]) cell.replaceChildren();
    const width = Math.max(cells[0].clientWidth - 8, 160);
    cells.forEach((cell, i) => cell.append(forestRow(data, data.rows[i], width)));
    axis.append(forestAxis(data, width));
  }
}
