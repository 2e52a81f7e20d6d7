"use strict";
// One rater's page: shows a prompt at a time, keeps ratings in the browser (and sends them to a server, where one gave the page).
const $ = id => document.getElementById(id);
const WORDS = JSON.parse($("words").textContent);
const { sheet, rater, signature, server } = document.body.dataset;
const FORMAT = "evalkit-rating/1", STORE = `evalkit-rating ${sheet} ${rater}`, CANNOT = "cannot";
const slots = [...document.querySelectorAll(".slot")];
const GUIDE = -1, FINISH = slots.length;
const IDLE = 180; // seconds of reading that are counted at most without a touch of the page
let state = { language: document.documentElement.lang, started: Date.now(), at: 0, slots: {} };
let here = GUIDE, lastTouch = Date.now(), lastTick = Date.now(), kept = true, fileSaved = true;

// ── words
function word(key, values = {}) {
  const text = (WORDS[state.language] || {})[key] || WORDS.en[key] || key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => name in values ? values[name] : whole);
}
function speak(language) {
  state.language = language in WORDS ? language : "en";
  document.documentElement.lang = state.language;
  document.documentElement.dir = WORDS[state.language].direction;
  document.title = word("title");
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word, element.dataset);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", word(element.dataset.label, element.dataset));
  $("language").value = state.language;
  tell();
}

// ── fingerprint of what is shown: the same function is in markup.py
const BLANK = /[ \t\n\r\f\v\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/g;
function fingerprint(text) {
  let first = 0x811C9DC5, second = 0x9747B28C;
  text = text.replace(BLANK, "");
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    first = Math.imul(first ^ unit, 0x01000193) >>> 0;
    second = Math.imul(second ^ unit, 0x01000193) >>> 0;
    second = (second ^ (second >>> 15)) >>> 0;
  }
  return first.toString(16).padStart(8, "0") + second.toString(16).padStart(8, "0");
}
const shown = slot => fingerprint([...slot.querySelectorAll(".text")].map(element => element.textContent).join("|"));

// ── which way a paragraph runs: as most of its letters do, for an Urdu sentence may begin with a Latin word
const RTL = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/g, LETTER = /\p{L}/gu;
function direct(text) {
  if (text.dir !== "rtl" && text.textContent.search(RTL) < 0) return;
  for (const block of text.querySelectorAll("p,li,h1,h2,h3,h4,h5,h6,td,th")) {
    const right = (block.textContent.match(RTL) || []).length, letters = (block.textContent.match(LETTER) || []).length;
    block.dir = letters ? (right * 3 > letters ? "rtl" : "ltr") : text.dir;
  }
}

// ── what was rated
const answersOf = slot => [...slot.querySelectorAll(".answer")];
const record = slot => state.slots[slot.dataset.slot];
const done = slot => { const mine = record(slot); return Boolean(mine) && answersOf(slot).every(answer => answer.dataset.letter in mine.answers); };
function change(slot, apply) {
  const id = slot.dataset.slot, mine = state.slots[id] ||= { answers: {}, comments: {}, seconds: 0, at: 0, text: "" };
  apply(mine);
  mine.at = state.at = Math.max(Date.now(), mine.at + 1);
  mine.seconds = Math.max(mine.seconds, Math.round(slot.dataset.seconds || 0));
  mine.text = shown(slot);
  if (mine.text !== slot.dataset.text) warn(word("changed"));
  fileSaved = false;
  keep();
  send(slot);
  tell();
}
function rate(answer, value) {
  const slot = answer.closest(".slot"), letter = answer.dataset.letter;
  answer.querySelector(`input[value="${value}"]`).checked = true;
  change(slot, mine => { mine.answers[letter] = value === CANNOT ? CANNOT : Number(value); });
  $("status").textContent = `${word("answer", { letter })}: ${value === CANNOT ? word("cannot") : value}`;
}
function fill(slot) {
  const mine = record(slot);
  for (const answer of answersOf(slot)) {
    const value = mine && mine.answers[answer.dataset.letter];
    for (const input of answer.querySelectorAll("input")) input.checked = value !== undefined && input.value === String(value);
    const text = answer.querySelector("textarea");
    if (document.activeElement !== text) text.value = (mine && mine.comments[answer.dataset.letter]) || "";
  }
}
function merge(others) { // per prompt, what was rated last
  let read = 0;
  for (const slot of slots) {
    const id = slot.dataset.slot, theirs = others[id];
    if (!theirs || !usable(slot, theirs)) continue;
    read++;
    if (!state.slots[id] || theirs.at > state.slots[id].at) { state.slots[id] = theirs; fill(slot); }
  }
  return read;
}
function usable(slot, theirs) {
  const letters = answersOf(slot).map(answer => answer.dataset.letter);
  return typeof theirs === "object" && theirs.answers && theirs.comments && Number.isFinite(theirs.at)
    && Object.entries(theirs.answers).every(([letter, value]) => letters.includes(letter) && [1, 2, 3, 4, 5, CANNOT].includes(value));
}

// ── in the browser
function keep() {
  try { localStorage.setItem(STORE, JSON.stringify(state)); kept = localStorage.getItem(STORE) !== null; } catch { kept = false; }
  if (!kept && !server) warn(word("not_kept"));
}
function recall() {
  try {
    const held = JSON.parse(localStorage.getItem(STORE) || "null");
    if (held && held.slots) { state = { ...state, ...held, slots: {} }; merge(held.slots); }
  } catch { /* nothing that could be read was kept */ }
}
addEventListener("storage", event => {
  if (event.key !== STORE || !event.newValue) return;
  try { merge(JSON.parse(event.newValue).slots); tell(); } catch { /* another tab is mid-write */ }
});

// ── as a file
function payload() {
  const ordered = {};
  for (const slot of slots) if (record(slot)) ordered[slot.dataset.slot] = record(slot);
  const body = { format: FORMAT, sheet, rater, signature, language: state.language, started: state.started, saved: Date.now(), slots: ordered };
  return { ...body, check: fingerprint(JSON.stringify(ordered)) };
}
function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(payload(), null, 1)], { type: "application/json" }));
  link.download = `rating-${rater}-${sheet}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  fileSaved = true;
  $("status").textContent = word("file_saved", { name: link.download });
  tell();
}
async function open(file) {
  try {
    const found = JSON.parse(await file.text());
    if (found.format !== FORMAT || found.sheet !== sheet || found.rater !== rater) throw new Error("another sheet");
    const read = merge(found.slots || {});
    keep();
    for (const slot of slots) if (record(slot)) send(slot);
    $("warning").hidden = true;
    $("status").textContent = word("opened", { n: read });
    tell();
    show(firstOpen());
  } catch { warn(word("wrong_file")); }
}

// ── to a server: a prompt at a time; what another tab sent meanwhile comes back and is shown
const waiting = new Set(), revision = {};
let sending = false;
function send(slot) { if (server) { waiting.add(slot); setTimeout(pump, 250); } }
async function pump() {
  if (sending || !waiting.size) return;
  sending = true;
  const [slot] = waiting;
  waiting.delete(slot);
  const id = slot.dataset.slot;
  try {
    const body = JSON.stringify({ slot: id, base: revision[id] || 0, record: record(slot) });
    const reply = await fetch(`${server}/ratings`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    if (!reply.ok && reply.status !== 409) throw new Error(String(reply.status));
    const told = await reply.json();
    revision[id] = told.revision;
    if (reply.status === 409) { // another tab had rated the same prompt: both are kept, here too
      const mine = record(slot), theirs = told.record, answers = { ...theirs.answers, ...mine.answers }, comments = { ...theirs.comments, ...mine.comments };
      if (JSON.stringify(mine) !== JSON.stringify(theirs) && waiting.has(slot)) state.slots[id] = { ...mine, answers, comments };
      else state.slots[id] = theirs;
      fill(slot);
      keep();
    }
    $("warning").hidden = true;
  } catch { waiting.add(slot); warn(word("not_sent")); setTimeout(pump, 3000); }
  sending = false;
  tell();
  if (waiting.size) setTimeout(pump, 50);
}
async function fromServer() {
  if (!server) return;
  try {
    const told = await (await fetch(`${server}/ratings`)).json();
    for (const [id, entry] of Object.entries(told)) revision[id] = entry.revision;
    merge(Object.fromEntries(Object.entries(told).map(([id, entry]) => [id, entry.record])));
    for (const slot of slots) { const mine = record(slot); if (mine && mine.at > ((told[slot.dataset.slot] || {}).record || { at: 0 }).at) send(slot); }
    tell();
  } catch { warn(word("not_sent")); }
}

// ── what is shown
function firstOpen() { const open = slots.findIndex(slot => !done(slot)); return open < 0 ? FINISH : open; }
function show(place, focus = true) {
  here = Math.max(GUIDE, Math.min(FINISH, place));
  $("guidelines").hidden = here !== GUIDE;
  $("finish").hidden = here !== FINISH;
  slots.forEach((slot, i) => { slot.hidden = i !== here; });
  if (slots[here]) slots[here].querySelectorAll(".text").forEach(foldable);
  tell();
  document.body.dataset.view = slots[here] ? "prompt" : "words";
  document.querySelector("main").scrollTo(0, 0);
  if (!focus) return;
  const slot = slots[here];
  if (!slot) { $(here === GUIDE ? "guide-title" : "finish-title").focus(); return; }
  slot.querySelector("h2").focus();
  current(answersOf(slot).find(answer => !(answer.dataset.letter in ((record(slot) || {}).answers || {}))) || answersOf(slot)[0], false);
}
function current(answer, focus = true) {
  document.querySelectorAll(".answer.current").forEach(other => other.classList.remove("current"));
  if (!answer) return;
  answer.classList.add("current");
  if (focus) { (answer.querySelector("input:checked") || answer.querySelector("input")).focus({ preventScroll: true }); answer.scrollIntoView({ block: "nearest" }); }
}
const currentAnswer = () => slots[here] && (slots[here].querySelector(".answer.current") || answersOf(slots[here])[0]);
function step(by) {
  const all = answersOf(slots[here]), at = all.indexOf(currentAnswer()) + by;
  if (all[at]) current(all[at]);
}
function tell() {
  const finished = slots.filter(done).length, left = slots.length - finished;
  $("progress").value = finished;
  const times = slots.filter(done).map(slot => record(slot).seconds).filter(seconds => seconds > 0).sort((a, b) => a - b);
  const minutes = Math.max(1, Math.round(left * (times[times.length >> 1] || 0) / 60));
  $("told").textContent = word("progress", { done: finished, all: slots.length }) + (left && times.length > 1 ? ` · ${word("minutes_left", { n: minutes })}` : "");
  $("kept").textContent = server ? word(waiting.size ? "sending" : "sent") : kept ? word("kept") : "";
  $("where").textContent = slots[here] ? `${here + 1} / ${slots.length}` : "";
  $("previous").disabled = here === GUIDE;
  $("next").disabled = here === FINISH;
  $("next").textContent = word(here === GUIDE ? "start" : here === FINISH - 1 ? "finish" : "next");
  $("open-left").textContent = left ? word("open_left", { n: left }) : word("all_done");
  $("first-open").hidden = !left;
}
function warn(text) { $("warning").textContent = text; $("warning").hidden = false; }
function foldable(text) {
  const button = text.nextElementSibling;
  if (!button || !button.classList.contains("more") || text.dataset.measured) return;
  text.dataset.measured = "1";
  if (text.scrollHeight > text.clientHeight + 40) button.hidden = false; else text.classList.remove("folded");
}
function fold(button, unfold) {
  const text = button.previousElementSibling;
  text.classList.toggle("folded", !unfold);
  button.setAttribute("aria-expanded", String(unfold));
  button.dataset.word = unfold ? "show_less" : "show_all";
  button.textContent = word(button.dataset.word);
}

// ── what the rater does
document.addEventListener("change", event => {
  const input = event.target;
  if (input.matches(".answer input[type=radio]")) rate(input.closest(".answer"), input.value);
  if (input.id === "language") { speak(input.value); keep(); }
  if (input.id === "open" && input.files.length) { open(input.files[0]); input.value = ""; }
});
document.addEventListener("input", event => {
  if (!event.target.matches(".answer textarea")) return;
  const answer = event.target.closest(".answer");
  change(answer.closest(".slot"), mine => { mine.comments[answer.dataset.letter] = event.target.value; });
});
document.addEventListener("focusin", event => { const answer = event.target.closest(".answer"); if (answer) current(answer, false); });
document.addEventListener("click", event => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.classList.contains("more")) fold(button, button.getAttribute("aria-expanded") !== "true");
  const act = { guide: () => show(GUIDE), save, "save-last": save, start: () => show(firstOpen()), previous: () => show(here - 1), next: () => show(here === GUIDE ? firstOpen() : here + 1), "first-open": () => show(firstOpen()) }[button.id];
  if (act) act();
});
document.addEventListener("keydown", event => {
  lastTouch = Date.now();
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target, typing = target.matches("textarea, select, input[type=file]");
  if (typing) { if (event.key === "Escape" && target.matches("textarea")) { current(target.closest(".answer")); event.preventDefault(); } return; }
  // A letter where the layout has Latin ones, else the place of the key: Hindi and Urdu keyboards.
  const digit = /^[0-9]$/.test(event.key) ? event.key : (event.code.match(/^(?:Digit|Numpad)([0-9])$/) || [])[1];
  const letter = /^[a-z]$/i.test(event.key) ? event.key.toLowerCase() : ((event.code.match(/^Key([A-Z])$/) || [])[1] || "").toLowerCase();
  const answer = currentAnswer(), onButton = target.closest("button, a, label.button");
  if (answer && digit && digit <= "5") {
    rate(answer, digit === "0" ? CANNOT : digit);
    const rest = answersOf(slots[here]), after = rest.slice(rest.indexOf(answer) + 1).find(other => !(other.dataset.letter in record(slots[here]).answers));
    current(after || answer);
  } else if (event.key === "Enter" && !onButton || letter === "n") show(here === GUIDE ? firstOpen() : here + 1);
  else if (letter === "p") show(here - 1);
  else if (letter === "j" && slots[here]) step(1);
  else if (letter === "k" && slots[here]) step(-1);
  else if (letter === "c" && answer) { answer.querySelector("textarea").focus(); }
  else if (letter === "f" && answer) { const more = answer.querySelector(".more:not([hidden])"); if (more) fold(more, more.getAttribute("aria-expanded") !== "true"); }
  else if (letter === "s") save();
  else if (letter === "g" || event.key === "?") show(GUIDE);
  else return;
  event.preventDefault();
});
addEventListener("pointerdown", () => { lastTouch = Date.now(); });
addEventListener("scroll", () => { lastTouch = Date.now(); }, { passive: true, capture: true });
setInterval(() => { // seconds that a prompt took, while somebody is there
  const now = Date.now(), passed = Math.min(5, (now - lastTick) / 1000), slot = slots[here];
  lastTick = now;
  if (!slot || document.hidden || now - lastTouch > IDLE * 1000) return;
  slot.dataset.seconds = String(Number(slot.dataset.seconds || (record(slot) || { seconds: 0 }).seconds) + passed);
}, 1000);
addEventListener("beforeunload", event => { if (!kept && !server && !fileSaved) event.preventDefault(); });

recall();
speak(state.language);
slots.forEach(fill);
document.querySelectorAll(".text").forEach(direct);
keep();
show(Object.keys(state.slots).length ? firstOpen() : GUIDE, false);
fromServer();
document.body.dataset.ready = "1";
