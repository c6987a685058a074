// Drawings wait until they come into sight, are printed, or the browser has time: opening waits for the table only.

const waiting = new Map();
const whenIdle = window.requestIdleCallback ? (act) => window.requestIdleCallback(act, { timeout: 1000 }) : (act) => setTimeout(act, 50);

const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) if (isIntersecting) drawNow(target);
}, { rootMargin: "200px" });

function drawLater(node, act) {
  waiting.set(node, act);
  sight.observe(node);
}

// What may not even be drawn when the browser has time, for few look at it.
function whenSeen(node, act) {
  const watch = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watch.disconnect();
    act();
  }, { rootMargin: "300px" });
  watch.observe(node);
}

function drawNow(node) {
  const act = waiting.get(node);
  if (!act) return;
  waiting.delete(node);
  sight.unobserve(node);
  act();
}

function drawAll() {
  for (const node of [...waiting.keys()]) drawNow(node);
}

// One drawing each time, so that a scroll or a click never waits for more than one.
function drawWhenIdle() {
  if (!waiting.size) { document.body.classList.add("drawn"); return; }
  whenIdle(() => { drawNow(waiting.keys().next().value); drawWhenIdle(); });
}
