// One box that says what is under the pointer.

const tooltip = byId("tooltip");

function showTip(event) {
  const target = event.target.closest?.("[data-tip]");
  if (!target) { tooltip.hidden = true; return; }
  const run = target.dataset.run;
  tooltip.textContent = target.dataset.tip || (run === undefined ? "" : runTip(Number(run)));
  tooltip.hidden = tooltip.textContent === "";
  const { innerWidth, innerHeight } = window;
  const box = tooltip.getBoundingClientRect();
  const x = event.clientX + 14 + box.width > innerWidth ? event.clientX - box.width - 10 : event.clientX + 14;
  const y = Math.min(event.clientY + 14, innerHeight - box.height - 6);
  tooltip.style.setProperty("left", `${Math.max(x, 4)}px`);
  tooltip.style.setProperty("top", `${Math.max(y, 4)}px`);
}

document.addEventListener("pointermove", showTip, { passive: true });
document.addEventListener("pointerleave", () => { tooltip.hidden = true; });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") tooltip.hidden = true; });
