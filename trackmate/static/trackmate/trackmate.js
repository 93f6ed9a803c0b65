/* What links and forms cannot do. Elements are looked up each time: Back replaces the body. */
"use strict";
{
const IDLE_AFTER = 30 * 60_000; // a page left open must not keep its session alive

const find = (id) => document.getElementById(id);
const LANGUAGE = document.documentElement.lang;
const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const on = (kinds, act, root = document, options) => kinds.split(" ").forEach((kind) => root.addEventListener(kind, act, options));
const set = (element, values) => Object.entries(values).forEach(([name, value]) => element?.setAttribute(name, value));
const turn = ({ firstElementChild: first, lastElementChild: second }, isTurned) => [first.hidden, second.hidden] = [isTurned, !isTurned];
const send = (id, kind) => find(id)?.dispatchEvent(new Event(kind));
const stored = (act) => { try { return act(sessionStorage); } catch {} };

/* Live updates, while somebody is looking. */

let timer, failures = 0, lastAnnounced = 0, follows = false;
const failed = new Set(); // out of date
let lastSign = Date.now();
let paused = stored((kept) => kept.tmPaused) === "true";

const isIdle = () => Date.now() - lastSign > IDLE_AFTER;
const isStopped = () => paused || isIdle();
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
	turn(find("tm-pause"), isStopped());
	set(find("tm-follow"), { "aria-pressed": follows });
}

function announceNew() {
	const news = find("tm-show");
	if (news && Date.now() - lastAnnounced > 2e4) {
		lastAnnounced = Date.now();
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

// A list that was requested before the fields were opened comes without them.
// htmx calls extensions for each node; it dispatches no DOM event.
const hasFields = (part) => !!one("[name=filters]", part);
htmx.registerExtension("trackmate", {
	htmx_before_morph_node: (old, { newNode }) => !(old.id === "tm-fields" && hasFields(old) && !hasFields(newNode)),
});

on("htmx:after:swap", (e) => {
	begin();
	if (e.detail.ctx.target === document.body) syncDrawer();
	if (isTick(e)) return announceNew();
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

/* Fields show what the server has rendered, until somebody changes them. */

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
	else commitTyping();
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

function commitTyping() {
	const now = location.href;
	if (typedFrom && typedFrom !== now) {
		history.replaceState(history.state, "", typedFrom);
		history.pushState(history.state, "", now);
	}
	typedFrom = undefined;
}

on("submit", commitTyping);
on("focusout", () => document.hasFocus() && commitTyping()); // not of the whole window
on("popstate", () => {
	typedFrom = undefined;
	send("tm-filters", "htmx:abort"); // a late response must not undo Back
}, window);
on("htmx:before:history:update", ({ detail }) => {
	if (typedFrom && detail.sourceElement.matches("form")) detail.history.type = "replace";
	else commitTyping();
});

on("htmx:config:request", (e) => {
	const { request: { body }, sourceElement } = e.detail.ctx;
	if (sourceElement.matches("form")) changed = false;
	// These are about the list that is shown; the form may have half of another.
	if (isTick(e) || sourceElement.matches("[hx-trigger='tm:open']")) for (const [name, value] of new URLSearchParams(location.search)) if (!/^(extended|filters|open)$/.test(name)) body.set(name, value);
	for (const [name, value] of [...(body?.entries?.() ?? [])]) if (value === "") body.delete(name);
	if (sourceElement.matches("form") && body.get("range") !== "custom") ["start", "end"].forEach((name) => body.delete(name));
});

/* The open activity is in the address: `open=<id>`. */

const isHeld = (e) => e.ctrlKey || e.metaKey || e.altKey;
const opened = () => one("tr[data-tm-open]");
// Nothing but an ID: it becomes part of an address whose content is put into the page.
const openId = () => /[?&]open=([\da-f-]{36})(?:&|$)/.exec(location.search)?.[1];

function addressWith(id, base = location) {
	const address = new URL(base);
	id ? address.searchParams.set("open", id) : address.searchParams.delete("open");
	return address.href;
}

// Entries of the history that differ in the open activity show the same list.
let listAddress;
let hasEntry = false; // the open activity, of its own

function load(id) {
	const row = find(`tm-row-${id}`);
	opened()?.removeAttribute("data-tm-open");
	if (row) row.dataset.tmOpen = "";
	const href = row ? one(".tm-open", row).href : `${find("tm-drawer").dataset.url}${id}/`;
	htmx.ajax("GET", href, { source: "#tm-drawer-body" });
}

function open(link) {
	const id = link.closest("tr").id.slice("tm-row-".length);
	const wasOpen = !!openId();
	history[wasOpen ? "replaceState" : "pushState"](history.state, "", addressWith(id));
	hasEntry ||= !wasOpen;
	load(id);
}

function syncDrawer() {
	const drawer = find("tm-drawer");
	if (!drawer) return;
	const id = openId();
	if (!id) drawer.close();
	else if (!drawer.open || one("[data-tm-detail]", drawer)?.dataset.tmDetail !== id) load(id);
}

on("popstate", () => {
	hasEntry = false;
	syncDrawer();
}, window);
on("htmx:before:history:restore", (e) => addressWith() === listAddress && e.preventDefault());
// After history.back() Chromium takes the focus away, unless the navigation is intercepted.
if (window.navigation) on("navigate", (e) => {
	const isSameList = e.navigationType === "traverse" && addressWith("", e.destination.url) === listAddress;
	if (isSameList && e.canIntercept) e.intercept({ focusReset: "manual" });
}, navigation);
on("close", ({ target }) => {
	if (target.id !== "tm-drawer") return;
	send("tm-drawer-body", "htmx:abort");
	if (!openId()) return;
	if (!hasEntry) return history.replaceState(history.state, "", addressWith());
	history.back();
}, document, true);

/* Buttons and keys. */

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

async function copyLink(button) {
	try {
		await navigator.clipboard.writeText(location.href);
		find("tm-status").textContent = button.dataset.done;
	} catch {} // where there is no clipboard, the button does nothing
}

function changeTheme({ dataset: { path } }) {
	const { dataset } = document.documentElement;
	const isDark = dataset.theme ? dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
	dataset.theme = isDark ? "light" : "dark";
	document.cookie = `trackmate_theme=${dataset.theme}; path=${path}; max-age=31536000; samesite=lax`;
}

function press(button) {
	const id = button?.id;
	if (id === "tm-theme") return changeTheme(button);
	if (id === "tm-copy-link") return copyLink(button);
	if (id === "tm-pause") paused = !isStopped();
	else if (id === "tm-follow") follows = !follows;
	else return;
	lastSign = Date.now();
	stored((kept) => kept.tmPaused = paused);
	tick();
}

// A click anywhere on a row opens it, but not one on a link, or one that ends a selection.
function linkOfRow(target) {
	const link = target.closest("#tm-rows .tm-open");
	if (link || target.closest("a, button") || !getSelection().isCollapsed) return link;
	return one(".tm-open", target.closest("#tm-rows tbody tr") ?? document.createElement("i"));
}

on("click", (e) => {
	const { target } = e;
	const link = linkOfRow(target);
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
		press(button);
	}
});
on("focusout", ({ target }) => target.value === "delete" && ask(target, false));

on("change", schedule);

// A menu closes by a click beside it.
on("pointerdown", ({ target }) => {
	if (!list()?.contains(target)) for (const menu of all(".tm-menu[open]")) menu.open = menu.contains(target);
});

// A menu gets its content when it is opened.
on("toggle", ({ target }) => {
	if (target.open) all("[hx-trigger='tm:open']", target).forEach((part) => part.dispatchEvent(new Event("tm:open")));
}, document, true);

const KEYS = { "/": "#tm-filters [name=q]", "?": "#tm-keys", p: "#tm-pause" };
const areKeysOff = () => document.body.dataset.tmKeys === "off";

on("keydown", (e) => {
	const { key, target } = e;
	if (e.isComposing) return;
	const menu = target.closest?.(".tm-menu[open]");
	if (key === "Escape" && menu && list()?.hidden !== false) {
		menu.open = false;
		return menu.firstElementChild.focus();
	}
	if (target.dataset?.tmSuggest) return handleSuggestionKey(e);
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

/* The chart: its readout, and thumbs around a time range. */

function readOut(plot, bars) {
	const output = one(".tm-readout", plot.closest("figure"));
	const { tmSentence, tmSummary } = output.dataset;
	if (!bars.length) return output.textContent = tmSummary;
	if (bars.length === 1) return output.textContent = bars[0].getAttribute("aria-label");
	const sum = (name) => bars.reduce((total, bar) => total + Number(bar.dataset[name]), 0).toLocaleString(LANGUAGE);
	const [first, last] = [bars[0], bars.at(-1)].map((bar) => new URL(bar.href.baseVal, location).searchParams);
	const time = `${first.get("start")} – ${last.get("end")}`.replaceAll("T", " ");
	output.textContent = tmSentence.replace("{time}", time).replace("{count}", sum("count")).replace("{failed}", sum("failed"));
}

for (const kind of ["pointerover", "focusin"]) on(kind, ({ target }) => {
	const plot = target.closest?.(".tm-plot");
	const bar = target.closest?.(".tm-bars a");
	if (bar) readOut(plot, [bar]);
	else plot?.tmReadOut?.();
});
for (const kind of ["pointerout", "focusout"]) on(kind, ({ target, relatedTarget }) => {
	const plot = target.closest?.(".tm-plot");
	if (plot && !plot.contains(relatedTarget)) plot.tmReadOut?.();
});


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
		plot.tmReadOut();
		thumbs.forEach((thumb, side) => {
			thumb.style.insetInlineStart = [first, last][side];
			set(thumb, { "aria-valuemax": bars.length, "aria-valuenow": ends[side], "aria-valuetext": times()[side].replace("T", " ") });
		});
	}

	function go() {
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
		if (moved && type === "pointerup") go();
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
		by ? draw() : go();
	}, plot);
	plot.tmReadOut = () => readOut(plot, ends[1] - ends[0] < bars.length ? bars.slice(...ends) : []);
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

let field, pending;

function suggest() {
	clearTimeout(pending);
	const mine = pending = setTimeout(async () => {
		const { dataset, value, selectionStart } = field;
		const query = new URLSearchParams({ name: dataset.tmSuggest, q: value, at: selectionStart });
		const answer = await fetch(`${list().dataset.url}?${query}`, { headers: { "HX-Request": "true" } }).catch(() => null);
		const html = answer?.ok ? await answer.text() : "";
		if (mine === pending) showOptions(html.trim());
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
	pending = clearTimeout(pending);
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
function handleSuggestionKey(e) {
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

// Headings stick to the window where the table need not scroll sideways.
function fitTables() {
	for (const part of all("#tm-rows .tm-scroll")) part.classList.toggle("tm-fits", part.scrollWidth <= part.clientWidth + 1);
}

on("resize", fitTables, window);

function begin() {
	showFields();
	schedule();
	find("tm-keys").hidden = areKeysOff();
	for (const id of ["tm-theme", "tm-copy-link"]) if (find(id)) find(id).hidden = false;
	listAddress = addressWith();
	fitTables();
	for (const plot of all(".tm-plot:has(.tm-brush[hidden])")) {
		if (!plot.tmBegin) brush(plot);
		plot.tmBegin();
	}
}

begin();
syncDrawer();
}
