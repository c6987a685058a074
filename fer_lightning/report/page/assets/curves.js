// Learning curves of the chosen runs over one another, one panel a measure.

const MEASURES = ["acc", "loss", "f1", "ece"];
const SHARES = ["acc", "f1", "ece"];

const NAMES = { acc: "accuracy", loss: "loss (cross-entropy, nats)", f1: "F1 (macro)", ece: "calibration error" };

// The objective has a panel of its own where it is none of these, as in a program of one's own.
const isOwn = (measure) => measure === study.metric;
const measuresWanted = () =>
  (MEASURES.some((measure) => [`train/${measure}`, `val/${measure}`, measure].includes(study.metric))
    ? MEASURES : [study.metric, ...MEASURES]);

function curvesOf(index, measure) {
  const { curves } = runs[index];
  const names = isOwn(measure) ? [["val", measure]] : ["train", "val"].map((split) => [split, `${split}/${measure}`]);
  return names.filter(([, name]) => curves[name]).map(([split, name]) => ({
    split, index,
    points: curves.epoch.map((epoch, i) => [epoch, curves[name][i]]).filter(([, value]) => value !== null),
  }));
}

// The mean over a group's runs at the epochs that all of them reached.
function meanCurve(lines) {
  const shortest = Math.min(...lines.map((line) => line.points.length));
  return [...Array(shortest).keys()].map((i) => [lines[0].points[i][0], mean(lines.map((line) => line.points[i][1]))]);
}

const path = (points, x, y) => points.map(([a, b], i) => `${i ? "L" : "M"}${x(a).toFixed(1)},${y(b).toFixed(1)}`).join("");

function curvePanel(groups, measure, width) {
  const lines = groups.flatMap((group, g) =>
    group.runs.flatMap((index) => curvesOf(index, measure)).map((line) => ({ ...line, g })));
  if (!lines.some((line) => line.points.length)) return null;
  const height = 230, box = { left: 48, top: 24, width: width - 60, height: height - 72 };
  const epochs = lines.flatMap((line) => line.points.map(([epoch]) => epoch));
  const values = lines.flatMap((line) => line.points.map(([, value]) => value));
  // Another program may call anything "acc": the objective knows whether it is a share, no other has a value beyond 1.
  const judged = [`train/${measure}`, `val/${measure}`].includes(study.metric);
  const share = judged ? objective.unit === "%" && objective.scale === 100
    : SHARES.includes(measure) && values.every((value) => value >= 0 && value <= 1);
  const column = isOwn(measure) ? objective : { unit: share ? "%" : "", scale: share ? 100 : 1 };
  const last = Math.max(...epochs), begin = Math.min(...epochs);
  const y = linear(values, column);
  const toX = (epoch) => box.left + box.width * (last > begin ? (epoch - begin) / (last - begin) : 0.5);
  const toY = (value) => box.top + box.height * (1 - y.at(value));
  const svg = chart(width, height, `${measure} of each epoch for ${groups.map((group) => group.label).join(", ")}`);
  const ticks = niceTicks(begin, last, 6).filter(Number.isInteger)
    .map((tick) => [(toX(tick) - box.left) / box.width, String(tick)]);
  const label = heading({ name: NAMES[measure] ?? measure, unit: column.unit });
  frame(svg, box, { ticks, label: "epoch" }, { ticks: y.ticks, label });
  groups.forEach((group, g) => {
    for (const split of ["train", "val"]) {
      const own = lines.filter((line) => line.g === g && line.split === split && line.points.length);
      if (!own.length) continue;
      const many = own.length > 1;
      for (const line of own)
        svg.append(draw("path", { class: `curve colour-${g} ${split} ${many ? "thin" : ""}`, d: path(line.points, toX, toY) }));
      if (many) svg.append(draw("path", { class: `curve colour-${g} ${split}`, d: path(meanCurve(own), toX, toY) }));
      if (split === "val")
        for (const line of own) for (const [epoch, value] of line.points)
          svg.append(draw("circle", { class: `curve-point colour-${g}`, cx: toX(epoch), cy: toY(value), r: many ? 1.8 : 2.6,
            "data-tip": `${runName(line.index)}\nepoch ${epoch}: ${number(shownUnit(column, value))}${column.unit && ` ${column.unit}`}` }));
    }
  });
  return svg;
}

function compareCurves(groups, width) {
  const columnsWanted = width > 760 ? 2 : 1;
  const panelWidth = Math.floor((width - 16 * (columnsWanted - 1)) / columnsWanted);
  const panels = measuresWanted().map((measure) => curvePanel(groups, measure, panelWidth)).filter(Boolean);
  if (!panels.length) return make("p", {}, "No learning curves are stored for these runs.");
  const pooledNote = groups.some((group) => group.runs.length > 1) ? " Thin: each run of an arm; thick: their mean." : "";
  return [make("div", { class: "grid drawing" }, panels),
    make("p", { class: "small" }, `Solid: validation; dashed: training.${pooledNote}`)];
}
