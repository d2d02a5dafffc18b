"use strict";
(() => {
  const root = document.documentElement;
  const theme = document.getElementById("theme");
  // Pages from disk may have no storage.
  const stored = (set) => {
    try {
      if (set) localStorage.setItem("theme", set);
      return localStorage.getItem("theme");
    } catch { return null; }
  };
  const dark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const name = () => { theme.textContent = dark() ? "Light" : "Dark"; };
  const before = stored();
  if (before === "dark" || before === "light") root.dataset.theme = before;
  theme.hidden = false;
  name();
  theme.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    stored(root.dataset.theme);
    name();
  });

  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a === "number") return -1;
    if (typeof b === "number") return 1;
    return a.localeCompare(b, "en", { numeric: true });
  };
  const sort = (table, heading, column) => {
    const down = heading.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row) => [value(row, column), row]);
    rows.sort(([a], [b]) => down ? compare(b, a) : compare(a, b));
    body.append(...rows.map(([, row]) => row));
  };
  let filters = 0;
  const filter = (table) => {
    const box = document.createElement("div");
    box.className = "filter";
    const label = document.createElement("label");
    const input = document.createElement("input");
    const state = document.createElement("span");
    filters += 1;
    input.type = "search";
    input.id = "filter-" + filters;
    label.htmlFor = input.id;
    label.textContent = "Filter";
    state.setAttribute("role", "status");
    const rows = Array.from(table.tBodies[0].rows, (row) => [row, row.textContent.toLowerCase()]);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      for (const [row, text] of rows) {
        row.hidden = !words.every((word) => text.includes(word));
        left += row.hidden ? 0 : 1;
      }
      state.textContent = words.length ? left + " of " + rows.length : "";
    });
    box.append(label, input, state);
    table.parentElement.before(box);
  };
  for (const table of document.querySelectorAll(".table > table")) {
    const rows = table.tBodies[0].rows.length;
    if (rows < 2) continue;
    Array.from(table.tHead.rows[0].cells).forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => sort(table, heading, column));
    });
    if (rows > 5) filter(table);
  }
})();
