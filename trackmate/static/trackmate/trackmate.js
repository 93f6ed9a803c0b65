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
  let changed = false;
  let paused = recall("tm-paused") === "true";
  let follows = recall("tm-follows") === "true";

  const isIdle = () => Date.now() - lastSign > IDLE_AFTER;

  function state() {
    if (!document.querySelector('[data-live="on"]')) return "still";
    if (paused) return "paused";
    if (isIdle()) return "idle";
    if (failures) return "failing";
    return follows && find("tm-show") ? "holding" : "live";
  }

  // What somebody reads must not move: an open activity, marked text, rows scrolled away from their head.
  function isReading() {
    const rows = find("tm-rows");
    if (!rows || find("tm-drawer")?.open || rows.getBoundingClientRect().top < 0) return true;
    const marked = getSelection();
    return (!marked.isCollapsed && rows.contains(marked.anchorNode)) || rows.querySelector("tbody :focus") !== null;
  }

  function interval() {
    const seconds = Number(find("tm-every")?.value) || 5;
    const slowed = Math.min(Math.max(SLOWEST, seconds * 1000), seconds * 1000 * 2 ** failures);
    return slowed * (0.9 + Math.random() * 0.2); // many pages must not ask in step
  }

  function tick() {
    schedule();
    if (document.hidden || !["live", "failing", "holding"].includes(state())) return;
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
    find("tm-pause").setAttribute("aria-pressed", paused);
    find("tm-follow")?.setAttribute("aria-pressed", follows);
    const every = recall("tm-every");
    if (every && find("tm-every").querySelector(`option[value="${CSS.escape(every)}"]`)) find("tm-every").value = every;
  }

  // The server has settled what each field says; what somebody is changing stays.
  function showFields() {
    if (changed) return;
    for (const each of document.querySelectorAll("#tm-filters:has([name=was]) :is(input, option)")) {
      if (each.type === "radio") each.checked = each.defaultChecked;
      else if (each.matches("option")) each.selected = each.defaultSelected;
      else if (each !== document.activeElement) each.value = each.defaultValue;
    }
  }

  function markFields() {
    showFields();
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

  // An answer to what was asked before must not undo what is being changed now.
  document.addEventListener("input", ({ target: { form } }) => {
    if (form?.id !== "tm-filters") return;
    changed = true;
    form.dispatchEvent(new Event("htmx:abort"));
  });

  document.addEventListener("htmx:config:request", (event) => {
    const { request: { body }, sourceElement } = event.detail.ctx;
    if (sourceElement.matches("form")) changed = false;
    for (const [name, value] of [...(body?.entries?.() ?? [])]) if (value === "" && name !== "was") body.delete(name);
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
      if (follows && !isReading()) find("tm-show")?.click();
      show();
      return;
    }
    markFields();
    schedule();
    drawn();
    const drawer = find("tm-drawer");
    if (drawer?.contains(event.detail.ctx.target)) {
      if (!drawer.open) drawer.showModal();
      drawer.scrollTop = 0;
      return;
    }
    // The button that was pressed is gone: leave the keyboard at what it brought.
    if (document.activeElement === document.body && !source?.matches?.("body, form")) {
      (find("tm-rows") ?? find("tm-overview"))?.focus({ preventScroll: true });
    }
  });

  // The drawer: one activity beside the list. With a key held down a link stays a link.

  function open(link) {
    document.querySelector("tr[data-tm-open]")?.removeAttribute("data-tm-open");
    link.closest("tr").dataset.tmOpen = "";
    htmx.ajax("GET", link.href, { target: "#tm-drawer-body" });
  }

  function step(by) {
    const links = [...document.querySelectorAll("#tm-rows .tm-open")];
    const row = find("tm-drawer").open ? document.querySelector("tr[data-tm-open]") : document.activeElement.closest("tr");
    const at = links.findIndex((link) => link.closest("tr") === row);
    const link = links[at < 0 ? 0 : at + by];
    if (!link) return;
    if (find("tm-drawer").open) open(link);
    else link.focus();
  }

  const PRESSED = {
    "tm-pause": () => {
      paused = !paused;
      keep("tm-paused", paused);
      if (paused) schedule();
      else tick();
    },
    "tm-follow": () => {
      follows = !follows;
      keep("tm-follows", follows);
      tick();
    },
    "tm-keys": () => find("tm-help").showModal(),
  };

  document.addEventListener("click", (event) => {
    const { target } = event;
    const link = target.closest("#tm-rows .tm-open");
    if (link && find("tm-drawer") && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      open(link);
    } else if (target.matches("dialog") || target.closest("[data-tm-close]")) {
      target.closest("dialog").close();
    } else {
      PRESSED[target.closest("button")?.id]?.();
    }
  });

  const KEYS = {
    "/": () => document.querySelector('#tm-filters [name="q"]'),
    "?": () => find("tm-keys"),
    p: () => find("tm-pause"),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.body.dataset.tmKeys === "off" || event.target.matches("input, select, textarea")) return;
    if (find("tm-rows") && find("tm-drawer") && (event.key === "j" || event.key === "k")) step(event.key === "j" ? 1 : -1);
    const wanted = document.querySelector("dialog[open]") ? null : KEYS[event.key]?.();
    if (!wanted) return;
    event.preventDefault();
    if (wanted.matches("button")) wanted.click();
    else wanted.focus();
  });

  // The brush: two thumbs on the histogram; what lies between them is the time to look at.

  function drawn() {
    for (const plot of document.querySelectorAll(".tm-plot:not([data-tm-drawn])")) {
      plot.dataset.tmDrawn = "";
      brush(plot, [...plot.querySelectorAll("a")]);
    }
  }

  function brush(plot, bars) {
    const [band, from, to] = plot.querySelector(".tm-brush").children;
    const ends = [0, bars.length];
    const timeAt = (place, side) => new URL(bars[place].href.baseVal, location).searchParams.get(side);
    let began = -1;
    let moved = false;

    function draw() {
      const [first, last] = ends.map((end) => `${(100 * end) / bars.length}%`);
      plot.querySelector(".tm-brush").hidden = bars.length < 2;
      band.hidden = ends[0] === 0 && ends[1] === bars.length;
      band.style.insetInlineStart = from.style.insetInlineStart = first;
      to.style.insetInlineStart = last;
      band.style.inlineSize = `calc(${last} - ${first})`;
      for (const [thumb, at, text] of [[from, ends[0], timeAt(ends[0], "start")], [to, ends[1], timeAt(ends[1] - 1, "end")]]) {
        thumb.setAttribute("aria-valuemax", bars.length);
        thumb.setAttribute("aria-valuenow", at);
        thumb.setAttribute("aria-valuetext", text.replace("T", " "));
        thumb.title = thumb.ariaValueText;
      }
    }

    function look() {
      const url = new URL(bars[ends[0]].href.baseVal, location);
      url.searchParams.set("end", timeAt(ends[1] - 1, "end"));
      location.assign(url);
    }

    function barAt(event) {
      const box = plot.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      const place = Math.floor((document.dir === "rtl" ? 1 - share : share) * bars.length);
      return Math.max(0, Math.min(bars.length - 1, place));
    }

    plot.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      const which = [from, to].indexOf(event.target);
      // A thumb that is dragged leaves the other one where it is.
      began = which < 0 ? barAt(event) : ends[1 - which] - (which ? 0 : 1);
      moved = false;
    });
    plot.addEventListener("pointermove", (event) => {
      if (began < 0) return;
      const at = barAt(event);
      if (at !== began && !moved) {
        moved = true;
        plot.setPointerCapture(event.pointerId);
      }
      if (!moved) return;
      ends[0] = Math.min(at, began);
      ends[1] = Math.max(at, began) + 1;
      draw();
    });
    plot.addEventListener("pointerup", () => {
      if (moved) look();
      began = -1;
    });
    plot.addEventListener("pointercancel", () => { began = -1; });
    plot.addEventListener("dragstart", (event) => event.preventDefault());
    plot.addEventListener("click", (event) => { if (moved) event.preventDefault(); }, true);

    plot.addEventListener("keydown", (event) => {
      const which = [from, to].indexOf(event.target);
      if (which < 0) return;
      const right = document.dir === "rtl" ? -1 : 1;
      const steps = { ArrowLeft: -right, ArrowRight: right, ArrowDown: -1, ArrowUp: 1, PageDown: -6, PageUp: 6, Home: -99, End: 99 };
      if (event.key === "Enter" || event.key === " ") look();
      else if (!(event.key in steps)) return;
      event.preventDefault();
      const [low, high] = which ? [ends[0] + 1, bars.length] : [0, ends[1] - 1];
      ends[which] = Math.max(low, Math.min(high, ends[which] + (steps[event.key] ?? 0)));
      draw();
    });
    draw();
  }

  document.addEventListener("change", (event) => {
    if (event.target.id !== "tm-every") return;
    keep("tm-every", event.target.value);
    schedule();
  });

  document.addEventListener("click", async ({ target }) => {
    const text = find(target.closest("[data-tm-copy]")?.dataset.tmCopy);
    if (!text) return;
    let done = "copied";
    try {
      await navigator.clipboard.writeText(text.textContent);
    } catch {
      done = "selected";
      text.parentElement.open = true;
      getSelection().selectAllChildren(text);
    }
    const status = text.closest("section").querySelector("[role=status]");
    status.textContent = status.dataset[done];
  });

  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : tick()));
  for (const kind of ["pointerdown", "keydown", "scroll"]) addEventListener(kind, sign, { passive: true });

  find("tm-keys").hidden = document.body.dataset.tmKeys === "off";
  markFields();
  drawn();
  schedule();
})();

/* Suggestions: a combobox over one list, for each field that says what it takes. */
(() => {
  "use strict";

  const LOOKS = { role: "combobox", "aria-autocomplete": "list", "aria-controls": "tm-options", "aria-expanded": "false" };
  const list = () => document.getElementById("tm-options");
  const chosen = () => list().querySelector("[aria-selected]");

  let field;
  let timer = 0;

  function ask() {
    clearTimeout(timer);
    const mine = timer = setTimeout(async () => {
      const { dataset, value, selectionStart } = field;
      const query = { name: dataset.tmSuggest, q: value, at: [...value.slice(0, selectionStart)].length };
      const url = `${list().dataset.url}?${new URLSearchParams(query)}`;
      const answer = await fetch(url, { headers: { "HX-Request": "true" } }).catch(() => null);
      const html = answer?.ok ? await answer.text() : "";
      if (mine === timer) show(html.trim());
    }, 150);
  }

  function show(html) {
    const box = field.getBoundingClientRect();
    Object.assign(list().style, { left: `${box.left + scrollX}px`, top: `${box.bottom + scrollY}px`, width: `${box.width}px` });
    list().innerHTML = html;
    list().hidden = !html;
    field.ariaExpanded = !!html;
    field.removeAttribute("aria-activedescendant");
    document.getElementById("tm-status").textContent = html && list().firstElementChild.textContent;
  }

  function close() {
    timer = clearTimeout(timer);
    if (list() && !list().hidden) show("");
  }

  function move(step) {
    const all = [...list().querySelectorAll("[role]")];
    const next = all.at((all.indexOf(chosen()) + step + (step < 0 && !chosen())) % all.length);
    chosen()?.removeAttribute("aria-selected");
    next.ariaSelected = true;
    field.setAttribute("aria-activedescendant", next.id);
    next.scrollIntoView({ block: "nearest" });
  }

  function accept({ dataset: { before, after } }) {
    close();
    field.value = before + after;
    field.setSelectionRange(before.length, before.length);
    field.dispatchEvent(new Event("input", { bubbles: true }));
    if (before.endsWith(":")) ask();
  }

  document.addEventListener("focusin", ({ target }) => {
    if (!target.dataset.tmSuggest) return;
    field = target;
    for (const [name, value] of Object.entries(LOOKS)) field.setAttribute(name, value);
  });

  document.addEventListener("focusout", close);

  document.addEventListener("input", ({ target, isTrusted }) => {
    if (!isTrusted || target !== field) return;
    if (/\S$/.test(field.value.slice(0, field.selectionStart))) ask();
    else close();
  });

  document.addEventListener("keydown", (event) => {
    const { key, target, isComposing } = event;
    if (isComposing || !target.dataset?.tmSuggest) return;
    const isOpen = !list().hidden;
    if (key === "ArrowDown") isOpen ? move(1) : ask();
    else if (key === "ArrowUp" && isOpen) move(-1);
    else if (key === "Escape" && isOpen) close();
    else if ((key === "Enter" || key === "Tab") && chosen()) accept(chosen());
    else return;
    event.preventDefault();
  });

  for (const kind of ["mousedown", "click"]) {
    document.addEventListener(kind, (event) => {
      const option = event.target.closest("#tm-options [role]");
      if (!option) return;
      event.preventDefault(); // the field keeps the focus
      if (kind === "click") accept(option);
    });
  }
})();
