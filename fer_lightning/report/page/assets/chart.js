// Scales, ticks and the frame that the drawings share.

function niceTicks(low, high, count = 5) {
  const span = high - low || Math.abs(high) || 1;
  const rough = span / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * span; i += 1)
    ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

function logTicks(low, high) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high) + 1e-9; power += 1)
    for (const factor of Math.log10(high / low) < 2.5 ? [1, 2, 5] : [1]) {
      const tick = factor * 10 ** power;
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push(tick);
    }
  return ticks.length ? ticks : [low, high];
}

// A scale of one column from its values to 0..1, null for a value that is not there.
function columnScale(column) {
  if (column.kind === "level") {
    const levels = column.levels;
    const place = new Map(levels.map((level, i) => [level, levels.length > 1 ? i / (levels.length - 1) : 0.5]));
    const ticks = levels.map((level) => [place.get(level), level]);
    return { at: (value) => (value === null ? null : place.get(value)), ticks, value: null };
  }
  const known = column.cells.filter((cell) => cell !== null);
  const low = Math.min(...known), high = Math.max(...known);
  const log = column.log && low > 0;
  const change = log ? Math.log10 : (x) => x;
  const back = log ? (x) => 10 ** x : (x) => x;
  const start = change(low), span = change(high) - start;
  const at = (value) => (value === null ? null : span > 0 ? (change(value) - start) / span : 0.5);
  // With few values a tick at each says more than round numbers between them.
  const few = [...new Set(known)].sort((a, b) => a - b);
  let ticks;
  if (few.length <= 6) ticks = few.map((tick) => [at(tick), readable(column, tick)]);
  else if (log) ticks = logTicks(low, high).map((tick) => [at(tick), number(tick)]);
  else
    ticks = niceTicks(shownUnit(column, low), shownUnit(column, high), 6).map((tick) => [
      at(storedUnit(column, tick)), number(tick),
    ]);
  return { at, ticks, value: (place) => (span > 0 ? back(start + place * span) : low), low, high };
}

function chart(width, height, label) {
  return draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
}

// Axes around a plot: ticks are pairs of place in 0..1 and text.
function frame(svg, box, x, y) {
  const { left, top, width, height } = box;
  for (const [place, text] of y.ticks) {
    const at = top + height * (1 - place);
    svg.append(
      draw("line", { class: "rule", x1: left, x2: left + width, y1: at, y2: at }),
      draw("text", { class: "tick", x: left - 6, y: at + 4, "text-anchor": "end" }, text),
    );
  }
  for (const [place, text] of x.ticks) {
    const at = left + width * place;
    const words = draw("text", { class: "tick", x: at, y: top + height + 16, "text-anchor": "middle" }, text);
    svg.append(draw("line", { class: "axis", x1: at, x2: at, y1: top + height, y2: top + height + 4 }), words);
    if (x.turned) {
      words.setAttribute("text-anchor", "end");
      words.setAttribute("transform", `rotate(-30 ${at} ${top + height + 12})`);
    }
  }
  svg.append(draw("line", { class: "axis", x1: left, x2: left + width, y1: top + height, y2: top + height }));
  if (x.label)
    svg.append(draw("text", { class: "label", x: left + width / 2, y: top + height + (x.below ?? 34), "text-anchor": "middle" }, x.label));
  if (y.label) svg.append(draw("text", { class: "label", x: 2, y: top - 8 }, y.label));
}

// Linear scale over some values with a little room, as a column would have it.
function linear(values, column, count = 5) {
  let low = Math.min(...values), high = Math.max(...values);
  if (low === high) { low -= Math.abs(low) * 0.05 || 0.5; high += Math.abs(high) * 0.05 || 0.5; }
  const room = 0.04 * (high - low);
  low -= room; high += room;
  const at = (value) => (value - low) / (high - low);
  const ticks = niceTicks(shownUnit(column, low), shownUnit(column, high), count)
    .map((tick) => [at(storedUnit(column, tick)), number(tick)]);
  return { at, ticks };
}

function widthOf(node, least = 260) {
  return Math.max(Math.floor(node.clientWidth), least);
}

// A point of a run, by state: a circle, a cross for one that was pruned, a diamond for one that violates a constraint.
function mark(x, y, index, kind) {
  const attributes = { class: `mark ${kind}`, "data-run": index, "data-tip": "" };
  if (kind === "infeasible") return draw("path", { ...attributes, d: `M${x},${y - 5}l4,5l-4,5l-4,-5z` });
  if (kind !== "pruned") return draw("circle", { ...attributes, cx: x, cy: y, r: 3.6 });
  return draw("path", { ...attributes, d: `M${x - 3},${y - 3}l6,6m0,-6l-6,6` });
}
