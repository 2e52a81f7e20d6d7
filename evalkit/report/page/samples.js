// The sample browser: a list that draws only the rows in view, filters, search, and one sample in full.
const { runs: RUNS, shared: SHARED } = JSON.parse($("index").textContent);
for (const run of RUNS) for (const columns of Object.values(run.tasks)) Object.assign(columns, SHARED[columns.shared]);
const HEIGHT = 46; // pixels of a row, as in the style sheet
const ALL = "";
const VERDICTS = {
  [ALL]: "all", wrong: "wrong", right: "right", partial: "in between", unmeasured: "not measured", invalid: "invalid",
  empty: "empty", length: "stopped at the token limit", truncated: "cut on the left", error: "failed", flips: "flips between the runs",
};
const state = { run: 0, beside: -1, shown: [], chosen: null, searching: 0 };

const options = (select, pairs, value) => {
  select.replaceChildren(...pairs.map(([name, text]) => make("option", { value: name, textContent: text })));
  select.value = pairs.some(([name]) => String(name) === String(value)) ? value : pairs[0][0];
  select.parentElement.classList.toggle("off", pairs.length < 2);
};

const verdictOf = (value) => (value === null ? "unmeasured" : value >= 1 ? "right" : value <= 0 ? "wrong" : "partial");
// Why a sample has no score, as far as its remarks say.
const REASONS = { error: "the request failed, or there is no answer", flat: "no log-likelihood differs from the others", thinking: "the thought did not end" };
const unmeasured = (flags) => ["not measured", flags.map((flag) => REASONS[flag]).find(Boolean)].filter(Boolean).join(": ");
const named = (column, i) => (column && column.of[i] >= 0 ? column.names[column.of[i]] : null);

// The same document of the run next to this one: its place in that run's columns, -1 without one.
const places = new WeakMap();
const twin = (task, i) => {
  const other = RUNS[state.beside]?.tasks[task];
  if (!other) return -1;
  if (!places.has(other)) places.set(other, new Map(other.doc.map((doc, place) => [doc, place])));
  return places.get(other).get(RUNS[state.run].tasks[task].doc[i]) ?? -1;
};

const flips = (task, i) => {
  const place = twin(task, i);
  if (place < 0) return false;
  const [a, b] = [RUNS[state.run].tasks[task].value[i], RUNS[state.beside].tasks[task].value[place]];
  return a !== b && a !== null && b !== null;
};

const passes = (task, columns, i, verdict) => {
  if (verdict === ALL) return true;
  if (verdict === "flips") return flips(task, i);
  return verdictOf(columns.value[i]) === verdict || columns.flags[i].includes(verdict);
};

const chosenTasks = () => {
  const all = Object.keys(RUNS[state.run]?.tasks ?? {});
  return $("f-task").value === ALL ? all : all.filter((task) => task === $("f-task").value);
};

// Rows that pass every filter but the search, as [task, place].
const filtered = () => {
  const [verdict, language, group] = [$("f-verdict").value, $("f-language").value, $("f-group").value];
  const rows = [];
  for (const task of chosenTasks()) {
    const columns = RUNS[state.run].tasks[task];
    for (let i = 0; i < columns.doc.length; i++) {
      if (language && named(columns.language, i) !== language) continue;
      if (group && named(columns.group, i) !== group) continue;
      if (passes(task, columns, i, verdict)) rows.push([task, i]);
    }
  }
  return rows;
};

// The two blocks that hold a sample, what was asked and what was answered, with whole prompts.
const blocksOf = async (run, task, i) => {
  const columns = RUNS[run].tasks[task];
  const part = Math.floor(i / columns.size);
  const [asked, answered] = await Promise.all([block(columns.asked[part]), block(columns.answered[part])]);
  asked.full ??= prompts(asked);
  return (k) => ({ ...asked[k % columns.size], ...answered[k % columns.size], prompts: asked.full[k % columns.size] });
};

// Everything of one sample: prompts as sent, endings, answers and scores.
const full = async (run, task, i) => (await blocksOf(run, task, i))(i);

const spoken = (sample) =>
  [...sample.prompts, ...sample.ends, JSON.stringify(sample.target), ...sample.responses.map((r) => r.text ?? "")].join("\n").toLowerCase();

const AHEAD = 6; // blocks unpacked while the ones before them are read

// The rows that say the words; null when something else was asked meanwhile.
const searched = async (rows, wanted, search) => {
  const parts = [];
  for (const row of rows) {
    const name = `${row[0]} ${Math.floor(row[1] / RUNS[state.run].tasks[row[0]].size)}`;
    if (parts.at(-1)?.name !== name) parts.push({ name, rows: [] });
    parts.at(-1).rows.push(row);
  }
  const start = (part) => (part.blocks ??= blocksOf(state.run, ...part.rows[0]));
  const found = [];
  let [read, told] = [0, performance.now()];
  for (let p = 0; p < parts.length; p++) {
    parts.slice(p, p + AHEAD).forEach(start);
    const sampleAt = await parts[p].blocks;
    parts[p].blocks = null;
    if (search !== state.searching) return null;
    for (const row of parts[p].rows) {
      const columns = RUNS[state.run].tasks[row[0]];
      const quick = `${columns.doc[row[1]]} ${columns.prediction[row[1]] ?? ""}`.toLowerCase();
      if (quick.includes(wanted) || spoken(sampleAt(row[1])).includes(wanted)) found.push(row);
    }
    read += parts[p].rows.length;
    if (performance.now() - told > 150) {
      told = performance.now();
      $("count").textContent = `${found.length.toLocaleString("en")} found, ${read.toLocaleString("en")} of ${rows.length.toLocaleString("en")} read`;
      await new Promise((resume) => setTimeout(resume));
    }
  }
  return found;
};

const refresh = async () => {
  const search = ++state.searching;
  const wanted = $("f-text").value.trim().toLowerCase();
  let rows = filtered();
  if (wanted) rows = await searched(rows, wanted, search);
  if (rows === null) return;
  state.shown = rows;
  $("count").textContent = rows.length === 1 ? "1 sample" : `${rows.length.toLocaleString("en")} samples`;
  $("rows").style.height = `${rows.length * HEIGHT}px`;
  $("list").scrollTop = 0;
  draw();
};

const drawRow = (k) => {
  const [task, i] = state.shown[k];
  const columns = RUNS[state.run].tasks[task];
  const verdict = verdictOf(columns.value[i]);
  const sign = { right: "✓", wrong: "✗", unmeasured: "–" }[verdict] ?? columns.value[i].toFixed(2);
  const row = make("div", { className: "row", id: `row-${k}` });
  row.setAttribute("role", "option");
  row.setAttribute("aria-selected", state.chosen?.task === task && state.chosen.i === i);
  row.style.top = `${k * HEIGHT}px`;
  const tone = verdict === "right" ? "v1" : verdict === "unmeasured" ? "vn" : verdict === "wrong" ? "v0" : "";
  const labels = columns.flags[i].map((flag) => make("span", { className: "flag", textContent: flag }));
  if (state.beside >= 0 && flips(task, i)) labels.push(make("span", { className: "flag", textContent: "flip" }));
  row.append(
    make("div", {}, make("span", { className: tone, textContent: `${sign} ` }), `${task} · ${columns.doc[i]}`, ...labels),
    make("div", { className: "what", textContent: `${columns.prediction[i] ?? (verdict === "unmeasured" ? unmeasured(columns.flags[i]) : "nothing extracted")} → ${columns.target[i] ?? ""}` }),
  );
  row.addEventListener("click", () => open(k));
  return row;
};

const draw = () => {
  const list = $("list");
  const first = Math.max(0, Math.floor(list.scrollTop / HEIGHT) - 5);
  const last = Math.min(state.shown.length, Math.ceil((list.scrollTop + list.clientHeight) / HEIGHT) + 5);
  $("rows").replaceChildren(...Array.from({ length: Math.max(0, last - first) }, (_, k) => drawRow(first + k)));
};

const open = (k) => {
  if (k < 0 || k >= state.shown.length) return;
  const [task, i] = state.shown[k];
  state.chosen = { k, task, i };
  const top = k * HEIGHT;
  const list = $("list");
  if (top < list.scrollTop) list.scrollTop = top;
  if (top + HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = top + HEIGHT - list.clientHeight;
  draw();
  list.setAttribute("aria-activedescendant", `row-${k}`);
  history.replaceState(null, "", link(state.run, task, i));
  showSample(state.run, task, i);
};

const link = (run, task, i) => `#sample/${run}/${encodeURIComponent(task)}/${encodeURIComponent(RUNS[run].tasks[task].doc[i])}`;

const text = (title, value) => [make("h4", { textContent: title }), make("pre", { textContent: value })];
const shown = (value) => (value === null || value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value));

const answers = (sample) => {
  const nodes = [];
  sample.responses.forEach((response, place) => {
    const many = sample.responses.length > 1 ? ` ${place + 1}` : "";
    const status = response.status === "ok" ? "" : ` (${response.status})`;
    if (response.loglikelihoods) {
      const rows = response.loglikelihoods.map((value, pair) =>
        make("tr", { className: pair === sample.target ? "pick" : "" },
          make("td", { className: "left", textContent: sample.ends[pair] }),
          make("td", { textContent: value.toFixed(4) }),
          make("td", { className: "left", textContent: [pair === sample.target ? "target" : "", response.greedy?.[pair] ? "greedy" : ""].filter(Boolean).join(", ") })));
      const head = make("tr", {}, ...["continuation", "log-likelihood", ""].map((title) => make("th", { className: title === "log-likelihood" ? "" : "left", textContent: title })));
      nodes.push(make("h4", { textContent: `Answer${many}${status}` }), make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
    } else {
      if (response.thinking) nodes.push(make("details", {}, make("summary", { textContent: `Thought${many}` }), make("pre", { textContent: response.thinking })));
      nodes.push(...text(`Answer${many}${status}`, response.text ?? response.error ?? "no answer"));
      if (response.raw) nodes.push(make("details", {}, make("summary", { textContent: `Everything said${many}` }), make("pre", { textContent: response.raw })));
    }
    const tokens = [`${response.context_tokens ?? 0} tokens read`, `${response.output_tokens ?? 0} ${response.loglikelihoods ? "scored" : "written"}`];
    if (response.truncated_tokens) tokens.push(`${response.truncated_tokens} cut on the left`);
    nodes.push(make("p", { className: "note", textContent: tokens.join(", ") }));
  });
  if (!sample.responses.length) nodes.push(make("p", { className: "note", textContent: "No answer." }));
  return nodes;
};

// Programs that were run, as pass@k leaves them: program, outcome, message.
const ran = (value) => Array.isArray(value) && value.length > 0 && value[0] !== null && value[0].program !== undefined;
const extracted = (value) => (ran(value) ? `${value.filter((one) => one.outcome === "passed").length} of ${value.length} passed` : shown(value));

const programs = (sample) => {
  const found = Object.values(sample.scores).map((score) => score.prediction).find(ran) ?? [];
  return found.flatMap((one, place) => text(`Program ${place + 1}: ${[one.outcome, one.message].filter(Boolean).join(", ")}`, one.program));
};

const verdicts = (sample) => {
  const rows = Object.entries(sample.scores).map(([name, score]) =>
    make("tr", {}, ...[name, score.value === null ? unmeasured(score.flags ?? []) : String(Math.round(score.value * 1e4) / 1e4), extracted(score.prediction), (score.flags ?? []).join(", ")]
      .map((value, place) => make("td", { className: place === 1 ? "" : "left", textContent: value }))));
  const head = make("tr", {}, ...["metric", "score", "extracted", "remarks"].map((title, place) => make("th", { className: place === 1 ? "" : "left", textContent: title })));
  return [make("h4", { textContent: "Scores" }), make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)), ...programs(sample)];
};

const showSample = async (run, task, i) => {
  const columns = RUNS[run].tasks[task];
  const sample = await full(run, task, i);
  if (state.chosen?.task !== task || state.chosen.i !== i || state.run !== run) return;
  const where = [named(columns.language, i), named(columns.group, i)].filter(Boolean).join(" · ");
  const anchor = make("a", { href: link(run, task, i), textContent: "link to this sample", className: "note" });
  const nodes = [make("h3", { textContent: `${task} · ${columns.doc[i]}` }), make("p", { className: "note" }, where ? `${where} · ` : "", anchor)];
  const asked = columns.elsewhere ? "The task's own prompt (how this answer was asked for is not known)" : "Prompt as sent";
  sample.prompts.forEach((prompt, place) => nodes.push(...text(sample.prompts.length > 1 ? `Context ${place + 1}` : asked, prompt)));
  nodes.push(...text("Target", typeof sample.target === "number" && sample.ends[sample.target] ? `${sample.target}: ${sample.ends[sample.target]}` : shown(sample.target)));
  nodes.push(...answers(sample), ...verdicts(sample));
  const place = state.beside >= 0 ? twin(task, i) : -1;
  if (place >= 0) {
    const other = await full(state.beside, task, place);
    nodes.push(make("h3", { textContent: RUNS[state.beside].title }), ...answers(other), ...verdicts(other));
  }
  $("sample").replaceChildren(...nodes);
  $("sample").scrollTop = 0;
};

const namesIn = (key) => [...new Set(chosenTasks().flatMap((task) => RUNS[state.run].tasks[task][key]?.names ?? []))].sort();

// The choices that depend on the run, the task and the run next to it.
const choices = () => {
  const tasks = Object.keys(RUNS[state.run].tasks);
  options($("f-task"), [[ALL, "all tasks"], ...tasks.map((task) => [task, task])], $("f-task").value);
  const languages = namesIn("language");
  const groups = namesIn("group");
  options($("f-language"), [[ALL, "all"], ...languages.map((name) => [name, name])], $("f-language").value);
  options($("f-group"), [[ALL, "all"], ...groups.map((name) => [name, name])], $("f-group").value);
  const kinds = Object.entries(VERDICTS).filter(([name]) => name !== "flips" || state.beside >= 0);
  options($("f-verdict"), kinds, $("f-verdict").value);
};

const fromLink = () => {
  const [kind, run, task, doc] = location.hash.slice(1).split("/").map(decodeURIComponent);
  if (kind !== "sample" || !RUNS[run]?.tasks[task]) return;
  state.run = Number(run);
  $("f-run").value = run;
  for (const name of ["f-task", "f-verdict", "f-language", "f-group", "f-text"]) $(name).value = ALL;
  choices();
  $("f-task").value = task;
  refresh().then(() => {
    open(state.shown.findIndex(([, i]) => RUNS[state.run].tasks[task].doc[i] === doc));
    $("samples").scrollIntoView();
  });
};

const start = () => {
  const all = RUNS.flatMap((run) => Object.values(run.tasks));
  const [kept, total] = [all.reduce((sum, task) => sum + task.doc.length, 0), all.reduce((sum, task) => sum + task.total, 0)];
  if (!kept) {
    $("samples").hidden = true;
    document.querySelector('nav a[href="#samples"]').hidden = true;
    return;
  }
  if (kept < total) $("samples-note").textContent = `${kept.toLocaleString("en")} of ${total.toLocaleString("en")} samples are in this page, the first ones of every task, to keep the file small; all are in samples.jsonl of the run.`;
  options($("f-run"), RUNS.map((run, place) => [place, run.title]), 0);
  options($("f-beside"), [[-1, "no other run"], ...RUNS.map((run, place) => [place, run.title])], -1);
  if (RUNS.length < 2) $("f-beside").parentElement.classList.add("off");
  choices();
  $("f-run").addEventListener("change", () => { state.run = Number($("f-run").value); choices(); refresh(); });
  $("f-beside").addEventListener("change", () => { state.beside = Number($("f-beside").value); choices(); refresh(); if (state.chosen) showSample(state.run, state.chosen.task, state.chosen.i); });
  $("f-task").addEventListener("change", () => { choices(); refresh(); });
  for (const name of ["f-verdict", "f-language", "f-group"]) $(name).addEventListener("change", refresh);
  let waiting;
  $("f-text").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(refresh, 200); });
  $("list").addEventListener("scroll", draw);
  addEventListener("resize", draw);
  addEventListener("hashchange", fromLink);
  addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "Escape" && typing) event.target.blur();
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const inList = event.target === $("list");
    if (event.key === "/") { event.preventDefault(); $("f-text").focus(); }
    if (event.key === "j" || (inList && event.key === "ArrowDown")) { event.preventDefault(); open((state.chosen?.k ?? -1) + 1); }
    if (event.key === "k" || (inList && event.key === "ArrowUp")) { event.preventDefault(); open((state.chosen?.k ?? 1) - 1); }
  });
  refresh().then(fromLink);
};
start();
