// Tables sort by a click on a column and keep the rows that hold every word of the filter.
const number = (text) => {
  const found = text.replace(/[,±]/g, "").match(/^[<>]?\s*(-?\d+(?:\.\d+)?)/);
  return found ? Number(found[1]) : null;
};

const cellText = (row, place) => {
  const copy = row.cells[place].cloneNode(true);
  copy.querySelectorAll("sup, small").forEach((mark) => mark.remove());
  return copy.textContent.trim();
};

const sortTable = (table, place) => {
  const head = table.tHead.rows[0].cells[place];
  const body = table.tBodies[0];
  const before = head.getAttribute("aria-sort");
  const numeric = !head.classList.contains("left");
  // Numbers start with the best, words with A; a third click brings the first order back.
  const first = numeric ? "descending" : "ascending";
  const second = numeric ? "ascending" : "descending";
  const now = before === first ? second : before === second ? null : first;
  for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
  if (now) head.setAttribute("aria-sort", now);
  const rows = [...body.rows].map((row) => ({ row, text: cellText(row, place), was: Number(row.dataset.was) }));
  const sign = now === "descending" ? -1 : 1;
  rows.sort((a, b) => {
    if (!now) return a.was - b.was;
    const [x, y] = [number(a.text), number(b.text)];
    if (numeric && (x === null) !== (y === null)) return x === null ? 1 : -1; // what was not measured stays last
    const by = numeric && x !== null ? x - y : a.text.localeCompare(b.text);
    return sign * by || a.was - b.was;
  });
  body.append(...rows.map(({ row }) => row));
  table.classList.toggle("sorted", now !== null);
};

for (const section of document.querySelectorAll("section.table")) {
  const table = section.querySelector("table");
  // A blank first cell repeats the one above it: said again, unseen until rows leave their order.
  let label = "";
  [...table.tBodies[0].rows].forEach((row, place) => {
    row.dataset.was = place;
    const head = row.cells[0];
    if (head.textContent) label = head.firstChild.textContent;
    else head.append(make("span", { className: "again", textContent: label }));
  });
  [...table.tHead.rows[0].cells].forEach((cell, place) => cell.firstChild.addEventListener("click", () => sortTable(table, place)));
  section.querySelector("input").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    table.classList.toggle("filtered", words.length > 0);
  });
}
if (!document.querySelector("#pictures figure")) {
  $("pictures").hidden = true;
  document.querySelector('nav a[href="#pictures"]').hidden = true;
}
