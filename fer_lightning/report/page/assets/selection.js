// What is chosen for the comparison: single runs, and arms with all of their complete runs.

const MOST = 8;
const chosen = [];
const whenChosen = [];

const runGroup = (index) => ({ key: `run:${runs[index].number}`, label: runName(index), runs: [index] });

function armGroup(arm) {
  const members = runs.map((_, index) => index).filter((index) => runs[index].arm === arm &&
    ["plain", "confirm"].includes(runs[index].stage) && isComplete(index));
  return { key: `arm:${arm}`, label: arm, runs: members };
}

const isChosen = (key) => chosen.some((group) => group.key === key);

// True where it was taken in or let go; false where there is no room or nothing to compare.
function toggle(group) {
  const at = chosen.findIndex((other) => other.key === group.key);
  if (at >= 0) chosen.splice(at, 1);
  else if (chosen.length < MOST && group.runs.length) chosen.push(group);
  else { announce(); return false; }
  announce(group.key);
  return true;
}

function clearChosen() {
  chosen.length = 0;
  announce();
}

function announce() {
  for (const act of whenChosen) act();
  showTray();
}

function showTray() {
  const tray = byId("tray");
  tray.hidden = chosen.length === 0;
  const chips = chosen.map((group, i) => make("span", { class: `chip colour-${i}` },
    make("span", { class: "swatch" }), group.label,
    make("button", { type: "button", "aria-label": `Leave out ${group.label}`, on: { click: () => toggle(group) } }, "×")));
  const ready = chosen.length > 1;
  const note = chosen.length >= MOST ? `${MOST} at most` : ready ? "" : "choose one more";
  replace(tray, make("span", { class: "chips" }, chips), note && make("span", { class: "small" }, note),
    make("button", { type: "button", class: "main", disabled: !ready, on: { click: goToComparison } }, `Compare ${chosen.length}`),
    make("button", { type: "button", on: { click: clearChosen } }, "Clear"));
  document.body.classList.toggle("with-tray", chosen.length > 0);
}

function goToComparison() {
  byId("compare").scrollIntoView();
  byId("compare-title").focus({ preventScroll: true });
}

function bindArms() {
  for (const box of document.querySelectorAll("input[data-arm]")) {
    const group = armGroup(box.dataset.arm);
    box.disabled = group.runs.length === 0;
    box.addEventListener("change", () => toggle(group));
    whenChosen.push(() => { box.checked = isChosen(group.key); });
  }
}

// Every mark of a run in a drawing chooses it.
document.addEventListener("click", (event) => {
  const target = event.target.closest?.("svg [data-run]");
  if (target) toggle(runGroup(Number(target.dataset.run)));
});
