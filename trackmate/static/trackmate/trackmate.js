/* The live list: asks for news, steps aside when nobody looks, and says what it does.
   Elements are looked up each time: going back in the history replaces the body. */
(() => {
  "use strict";

  const SLOWEST = 60_000;
  const IDLE_AFTER = 30 * 60_000; // a page left open must not keep its session alive for ever
  const QUIET_BETWEEN_ANNOUNCEMENTS = 20_000;

  const find = (id) => document.getElementById(id);
  const recall = (key) => { try { return sessionStorage.getItem(key); } catch { return null; } };
  const keep = (key, value) => { try { sessionStorage.setItem(key, value); } catch { /* not allowed */ } };

  let timer = 0;
  let failures = 0;
  let lastSign = Date.now();
  let lastAnnouncement = 0;
  let paused = recall("tm-paused") === "true";

  const isIdle = () => Date.now() - lastSign > IDLE_AFTER;

  function state() {
    if (!document.querySelector('[data-live="on"]')) return "still";
    if (paused) return "paused";
    if (isIdle()) return "idle";
    return failures ? "failing" : "live";
  }

  function interval() {
    const seconds = Number(find("tm-every")?.value) || 5;
    const slowed = Math.min(Math.max(SLOWEST, seconds * 1000), seconds * 1000 * 2 ** failures);
    return slowed * (0.9 + Math.random() * 0.2); // many pages must not ask in step
  }

  function tick() {
    schedule();
    if (document.hidden || !["live", "failing"].includes(state())) return;
    find("tm-live")?.dispatchEvent(new CustomEvent("tm:tick"));
  }

  function schedule() {
    clearTimeout(timer);
    show();
    if (find("tm-live") && !document.hidden && !paused) timer = setTimeout(tick, interval());
  }

  function show() {
    const controls = find("tm-live-controls");
    if (!controls) return;
    controls.hidden = false;
    const text = controls.querySelector("[data-tm-state]");
    const now = state();
    text.dataset.is = now;
    if (text.textContent !== text.dataset[now]) text.textContent = text.dataset[now];
    find("tm-pause").setAttribute("aria-pressed", String(paused));
    const every = recall("tm-every");
    if (every && find("tm-every").querySelector(`option[value="${CSS.escape(every)}"]`)) find("tm-every").value = every;
  }

  function markFields() {
    for (const field of document.querySelectorAll("[data-tm-field]")) {
      const wrong = field.querySelector(".tm-error")?.textContent.trim();
      const input = field.querySelector("input, select");
      if (wrong) input?.setAttribute("aria-invalid", "true");
      else input?.removeAttribute("aria-invalid");
    }
  }

  function announce(text) {
    const now = Date.now();
    if (now - lastAnnouncement < QUIET_BETWEEN_ANNOUNCEMENTS) return;
    lastAnnouncement = now;
    find("tm-status").textContent = text;
  }

  function sign() {
    const wasIdle = isIdle();
    lastSign = Date.now();
    if (wasIdle) tick();
  }

  const isTick = (event) => event.detail?.ctx?.sourceElement?.id === "tm-live";

  function failed(event) {
    if (isTick(event)) {
      failures += 1;
      schedule();
    } else {
      find("tm-toast").textContent = find("tm-toast").dataset.failed;
    }
  }

  document.addEventListener("htmx:config:request", (event) => {
    const body = event.detail.ctx.request.body;
    for (const [name, value] of [...(body?.entries?.() ?? [])]) if (value === "") body.delete(name);
  });

  document.addEventListener("htmx:before:response", (event) => {
    if (event.detail.ctx.response.status >= 400) return;
    if (isTick(event) && failures) {
      failures = 0;
      schedule();
    }
    find("tm-toast").textContent = "";
  });

  document.addEventListener("htmx:response:error", failed);
  document.addEventListener("htmx:error", failed);

  document.addEventListener("htmx:after:swap", (event) => {
    const source = event.detail.ctx.sourceElement;
    if (isTick(event)) {
      announce(find("tm-show")?.textContent.trim() ?? "");
      return;
    }
    markFields();
    schedule();
    // The button that was pressed is gone: leave the keyboard at what it brought.
    if (document.activeElement === document.body && !source?.matches?.("body, form")) {
      (find("tm-rows") ?? find("tm-overview"))?.focus({ preventScroll: true });
    }
  });

  document.addEventListener("click", (event) => {
    if (!event.target.closest("#tm-pause")) return;
    paused = !paused;
    keep("tm-paused", paused);
    if (paused) schedule();
    else tick();
  });

  document.addEventListener("change", (event) => {
    if (event.target.id !== "tm-every") return;
    keep("tm-every", event.target.value);
    schedule();
  });

  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : tick()));
  for (const kind of ["pointerdown", "keydown", "scroll"]) addEventListener(kind, sign, { passive: true });

  markFields();
  schedule();
})();
