/* What links and forms cannot do. Elements are looked up each time: Back replaces the body. */
"use strict";
{
const IDLE_AFTER = 30 * 60_000; // a page left open must not keep its session alive

const find = (id) => document.getElementById(id);
const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const on = (kinds, act, root = document, options) => kinds.split(" ").forEach((kind) => root.addEventListener(kind, act, options));
const set = (element, values) => Object.entries(values).forEach(([name, value]) => element?.setAttribute(name, value));
const turn = ({ firstElementChild: usual, lastElementChild: turned }, isTurned) => [usual.hidden, turned.hidden] = [isTurned, !isTurned];
const send = (id, kind) => find(id)?.dispatchEvent(new Event(kind));
const stored = (act) => { try { return act(sessionStorage); } catch {} };

/* Live: news, while somebody looks. */

let timer, failures = 0, lastSaid = 0, follows = false;
const failed = new Set(); // out of date
let lastSign = Date.now();
let paused = stored((kept) => kept.tmPaused) === "true";

const isIdle = () => Date.now() - lastSign > IDLE_AFTER;
const isTick = (e) => e.detail.ctx?.sourceElement?.id === "tm-live";

function state() {
	if (!one('[data-live="on"]')) return "still";
	if (paused) return "paused";
	if (isIdle()) return "idle";
	if (failures) return "failing";
	return follows && find("tm-show") ? "holding" : "live";
}

// What somebody reads must not move.
function isReading() {
	const rows = find("tm-rows");
	const marked = getSelection();
	return !rows || find("tm-drawer")?.open || rows.getBoundingClientRect().top < 0
		|| (!marked.isCollapsed && rows.contains(marked.anchorNode)) || !!one("#tm-rows tbody :focus");
}

function interval() {
	const wanted = find("tm-every").value * 1000;
	const slowed = Math.min(Math.max(6e4, wanted), wanted * 2 ** failures);
	return slowed * (0.9 + Math.random() * 0.2); // pages must not ask in step
}

function tick() {
	schedule();
	if (!document.hidden && /live|failing|holding/.test(state())) send("tm-live", "tm:tick");
}

function schedule() {
	clearTimeout(timer);
	showState();
	if (find("tm-live") && !document.hidden && !paused) timer = setTimeout(tick, interval());
}

function showState() {
	const text = one("[data-tm-state]");
	if (!text) return;
	find("tm-live-controls").hidden = false;
	text.dataset.is = state();
	text.textContent = text.dataset[state()];
	turn(find("tm-pause"), /paused|idle/.test(state()));
	set(find("tm-follow"), { "aria-pressed": follows });
}

function showNews() {
	const news = find("tm-show");
	if (news && Date.now() - lastSaid > 2e4) {
		lastSaid = Date.now();
		find("tm-status").textContent = news.textContent;
	}
	if (follows && !isReading()) news?.click();
}

on("htmx:response:error htmx:error", (e) => {
	failures += isTick(e);
	if (isTick(e)) return schedule();
	const target = e.detail.ctx?.target;
	if (target?.closest("dialog") === null) failed.add(target.id);
	find("tm-toast").textContent = find("tm-toast").dataset.failed;
});

on("htmx:before:response", (e) => {
	const { response, target } = e.detail.ctx;
	if (response.status >= 400) return;
	if (isTick(e)) {
		failures = 0;
		return schedule();
	}
	failed.delete(target.id);
	if (!failed.size) find("tm-toast").textContent = "";
});

on("htmx:before:swap", (e) => {
	const drawer = find("tm-drawer");
	if (!drawer?.contains(e.detail.ctx.target)) return;
	if (!drawer.open) drawer.showModal(); // later undoes an Escape
	drawer.scrollTop = 0;
});

on("htmx:after:swap", (e) => {
	begin();
	if (isTick(e)) return showNews();
	if (document.activeElement === document.body && !e.detail.ctx.sourceElement?.matches?.("body, form")) {
		one("#tm-rows, #tm-overview")?.focus({ preventScroll: true });
	}
});

on("visibilitychange", tick);
on("pointerdown keydown scroll", ({ target }) => {
	const wasIdle = isIdle();
	if (wasIdle && target.closest?.("#tm-pause")) return; // its click resumes
	lastSign = Date.now();
	if (wasIdle) tick();
}, window, { passive: true });

/* The server settles what a field says, until it is changed. */

let changed = false;

function showFields() {
	for (const each of changed ? [] : all("#tm-filters :is(input, option)")) {
		if (each.type === "radio") each.checked = each.defaultChecked;
		else if (each.matches("option")) each.selected = each.defaultSelected;
		else if (each !== document.activeElement) each.value = each.defaultValue;
	}
}

on("input", ({ target }) => {
	const { form } = target;
	if (form?.id !== "tm-filters") return;
	changed = true;
	send(form.id, "htmx:abort"); // it would undo this
	if (target.matches("input:not([type=radio])")) typedFrom ??= location.href;
	else settle();
});

// Dates begin with the range that is shown, and ask for nothing new.
on("input", (e) => {
	const { target } = e;
	if (!target.matches("#tm-filters [name=range][value=custom]")) return;
	e.stopPropagation();
	changed = true;
	for (const name of ["start", "end"]) target.form.elements[name].value = one("[data-tm-range]")?.dataset[name].slice(0, 19) ?? "";
}, document, true);

/* What is typed is one entry of the browser's history, once it is sent or left. */

let typedFrom;

function settle() {
	const now = location.href;
	if (typedFrom && typedFrom !== now) {
		history.replaceState(history.state, "", typedFrom);
		history.pushState(history.state, "", now);
	}
	typedFrom = undefined;
}

on("submit", settle);
on("focusout", () => document.hasFocus() && settle()); // not of the whole window
on("popstate", () => typedFrom = undefined, window);
on("htmx:before:history:update", ({ detail }) => {
	if (typedFrom && detail.sourceElement.matches("form")) detail.history.type = "replace";
	else settle();
});

on("htmx:config:request", (e) => {
	const { request: { body }, sourceElement } = e.detail.ctx;
	if (sourceElement.matches("form")) changed = false;
	// News are of the list that is shown; in the form another may be half written.
	if (isTick(e)) for (const [name, value] of new URLSearchParams(location.search)) if (name !== "anyway") body.set(name, value);
	for (const [name, value] of [...(body?.entries?.() ?? [])]) if (value === "" && name !== "was") body.delete(name);
	if (sourceElement.matches("form") && body.get("range") !== "custom") ["start", "end"].forEach((name) => body.delete(name));
});

/* Buttons, keys, the drawer. */

const isHeld = (e) => e.ctrlKey || e.metaKey || e.altKey;
const opened = () => one("tr[data-tm-open]");

function open(link) {
	opened()?.removeAttribute("data-tm-open");
	link.closest("tr").dataset.tmOpen = "";
	htmx.ajax("GET", link.href, { source: "#tm-drawer-body" });
}

function step(by) {
	const links = all("#tm-rows .tm-open");
	const isOpen = find("tm-drawer")?.open;
	const row = isOpen ? opened() : one(":focus")?.closest("tr");
	const at = links.findIndex((link) => link.closest("tr") === row);
	const link = links[at < 0 ? 0 : at + by];
	if (isOpen && link) open(link);
	else link?.focus();
}

async function copy(text) {
	let done = "copied";
	try {
		await navigator.clipboard.writeText(text.textContent);
	} catch {
		done = "selected";
		text.parentElement.open = true;
		getSelection().selectAllChildren(text);
	}
	const status = one("[role=status]", text.closest("section"));
	status.textContent = status.dataset[done];
}

// A view is deleted by a second press of its button.
function ask(button, isAsked) {
	button.value = isAsked ? "delete" : "ask";
	turn(button, isAsked);
	find("tm-status").textContent = isAsked ? button.lastElementChild.textContent : "";
	if (isAsked) button.focus(); // Safari does not by itself
}

function press(id) {
	if (id === "tm-pause") paused = !paused && !isIdle();
	else if (id === "tm-follow") follows = !follows;
	else return;
	lastSign = Date.now();
	stored((kept) => kept.tmPaused = paused);
	tick();
}

on("click", (e) => {
	const { target } = e;
	const link = target.closest("#tm-rows .tm-open");
	const button = target.closest("button");
	if (link && !isHeld(e) && !e.shiftKey) {
		e.preventDefault();
		open(link);
	} else if (target.matches("dialog")) {
		target.close();
	} else if (button?.dataset.tmCopy) {
		copy(find(button.dataset.tmCopy));
	} else if (button?.value === "ask") {
		e.preventDefault();
		ask(button, true);
	} else if (button?.value === "delete" && e.detail > 1) {
		e.preventDefault(); // of a double click
	} else {
		press(button?.id);
	}
});
on("focusout", ({ target }) => target.value === "delete" && ask(target, false));

on("change", schedule);
on("close", () => send("tm-drawer-body", "htmx:abort"), document, true);

const KEYS = { "/": "#tm-filters [name=q]", "?": "#tm-keys", p: "#tm-pause" };
const areKeysOff = () => document.body.dataset.tmKeys === "off";

on("keydown", (e) => {
	const { key, target } = e;
	if (e.isComposing) return;
	if (target.dataset?.tmSuggest) return goOn(e);
	if (key === "Escape" && target.value === "delete") return ask(target, false);
	if (isHeld(e) || areKeysOff() || target.matches("input, select, textarea")) return;
	const by = { j: 1, k: -1 }[key];
	if (by) return step(by);
	const wanted = KEYS[key] && !one("dialog[open], :popover-open") && one(KEYS[key]);
	if (!wanted) return;
	e.preventDefault();
	wanted.focus();
	if (wanted.matches("button")) wanted.click();
});

/* The brush: thumbs around a time. */

function brush(plot) {
	let bars, layer, band, thumbs, ends;
	const clamp = (at, low, high) => Math.max(low, Math.min(high, at));
	const forward = document.dir === "rtl" ? -1 : 1;
	let held, moved;

	const href = (place) => new URL(bars[place].href.baseVal, location);
	const times = () => [href(ends[0]).searchParams.get("start"), href(ends[1] - 1).searchParams.get("end")];

	function draw() {
		const [first, last] = ends.map((end) => `${(100 * end) / bars.length}%`);
		layer.hidden = bars.length < 2;
		band.hidden = ends[1] - ends[0] === bars.length;
		Object.assign(band.style, { insetInlineStart: first, inlineSize: `calc(${last} - ${first})` });
		thumbs.forEach((thumb, side) => {
			thumb.style.insetInlineStart = [first, last][side];
			set(thumb, { "aria-valuemax": bars.length, "aria-valuenow": ends[side], "aria-valuetext": times()[side].replace("T", " ") });
		});
	}

	function look() {
		const wanted = href(ends[0]);
		wanted.searchParams.set("end", times()[1]);
		location = wanted;
	}

	// In bars, from the beginning.
	function placeOf({ clientX }) {
		const { left, width } = plot.getBoundingClientRect();
		const share = (clientX - left) / width;
		return (forward > 0 ? share : 1 - share) * bars.length;
	}

	const barAt = (e) => clamp(Math.floor(placeOf(e)), 0, bars.length - 1);

	function move(side, to) {
		ends[side] = clamp(to, side && ends[0] + 1, side ? bars.length : ends[1] - 1);
	}

	on("pointerdown", (e) => {
		const side = thumbs.indexOf(e.target);
		moved = false;
		if (!e.button) held = { side, from: side < 0 ? barAt(e) : ends[side], beside: ends[side] - placeOf(e) };
	}, plot);
	on("pointermove", (e) => {
		if (!held) return;
		const { side, from, beside } = held;
		const to = side < 0 ? barAt(e) : Math.round(placeOf(e) + beside);
		if (to === from && !moved) return;
		plot.setPointerCapture(e.pointerId);
		moved = true;
		if (side < 0) ends = [Math.min(to, from), Math.max(to, from) + 1];
		else move(side, to);
		draw();
	}, plot);
	on("pointerup pointercancel", ({ type }) => {
		if (moved && type === "pointerup") look();
		held = undefined;
	}, plot);
	on("dragstart", (e) => e.preventDefault(), plot);
	on("click", (e) => moved && e.preventDefault(), plot, true);
	on("keydown", (e) => {
		const side = thumbs.indexOf(e.target);
		const steps = { ArrowLeft: -forward, ArrowRight: forward, ArrowDown: -1, ArrowUp: 1, PageDown: -6, PageUp: 6, Home: -99, End: 99, Enter: 0 };
		const by = steps[e.key];
		if (side < 0 || by === undefined) return;
		e.preventDefault();
		move(side, ends[side] + by);
		by ? draw() : look();
	}, plot);
	plot.tmBegin = () => {
		bars = all("a", plot);
		layer = one(".tm-brush", plot);
		[band, ...thumbs] = layer.children;
		ends = [0, bars.length];
		draw();
	};
}

/* Suggestions: one list. */

const list = () => find("tm-options");
const chosen = () => one("[aria-selected]", list());

let field, asking;

function suggest() {
	clearTimeout(asking);
	const mine = asking = setTimeout(async () => {
		const { dataset, value, selectionStart } = field;
		const query = new URLSearchParams({ name: dataset.tmSuggest, q: value, at: selectionStart });
		const answer = await fetch(`${list().dataset.url}?${query}`, { headers: { "HX-Request": "true" } }).catch(() => null);
		const html = answer?.ok ? await answer.text() : "";
		if (mine === asking) showOptions(html.trim());
	}, 150);
}

function showOptions(html) {
	const { left, bottom, width } = field.getBoundingClientRect();
	list().style.cssText = `left: ${left + scrollX}px; top: ${bottom + scrollY}px; width: ${width}px`;
	list().innerHTML = html;
	list().hidden = !html;
	set(field, { "aria-expanded": !!html });
	field.removeAttribute("aria-activedescendant");
	find("tm-status").textContent = html && list().firstElementChild.textContent;
}

function close() {
	asking = clearTimeout(asking);
	if (list()?.hidden === false) showOptions("");
}

function choose(by) {
	const options = all("[role]", list());
	const next = options.at((options.indexOf(chosen()) + by + (by < 0 && !chosen())) % options.length);
	chosen()?.removeAttribute("aria-selected");
	set(next, { "aria-selected": true });
	set(field, { "aria-activedescendant": next.id });
	next.scrollIntoView({ block: "nearest" });
}

function accept({ dataset: { before, after } }) {
	close();
	field.value = before + after;
	field.setSelectionRange(before.length, before.length);
	field.dispatchEvent(new Event("input", { bubbles: true }));
	if (before.endsWith(":")) suggest();
}

on("focusin", ({ target }) => {
	if (target.dataset.tmSuggest) set(field = target, { role: "combobox", "aria-autocomplete": "list", "aria-controls": "tm-options", "aria-expanded": false });
});
on("focusout", close);
on("input", ({ target, isTrusted }) => {
	if (!isTrusted || target !== field) return;
	/\S$/.test(field.value.slice(0, field.selectionStart)) ? suggest() : close();
});
function goOn(e) {
	const { key } = e;
	const isOpen = !list().hidden;
	if (key === "ArrowDown") isOpen ? choose(1) : suggest();
	else if (key === "ArrowUp" && isOpen) choose(-1);
	else if ((key === "Enter" || key === "Tab") && chosen()) accept(chosen());
	else {
		if (key === "Enter" || key === "Escape") close();
		if (key !== "Escape" || !isOpen) return;
	}
	e.preventDefault();
}
on("mousedown click", (e) => {
	const option = e.target.closest("#tm-options [role]");
	if (!option) return;
	e.preventDefault(); // focus stays
	if (e.type === "click") accept(option);
});

function begin() {
	showFields();
	schedule();
	find("tm-keys").hidden = areKeysOff();
	for (const plot of all(".tm-plot:has(.tm-brush[hidden])")) {
		if (!plot.tmBegin) brush(plot);
		plot.tmBegin();
	}
}

begin();
}
