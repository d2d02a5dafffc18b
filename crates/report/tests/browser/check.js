// Runs in the page after its own script, and leaves what it finds in the document.
"use strict";
window.addEventListener("load", () => {
  const failed = [];
  const check = (holds, what) => { if (!holds) failed.push(what); };
  const wanted = document.documentElement.dataset.check.split(" ");
  const say = () => {
    const text = "width " + innerWidth + "; " + (failed.length ? "FAILED: " + failed.join("; ") : "all well");
    if (parent !== window) return parent.postMessage(text, "*");
    const out = document.createElement("pre");
    out.id = "checked";
    out.textContent = text;
    document.body.append(out);
  };
  const checks = {
    network() {
      const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
      check(loaded.every((name) => name.startsWith("data:")), "loaded " + loaded);
      const from = Array.from(document.querySelectorAll("[src], link[href]"), (e) => e.getAttribute("src") || e.getAttribute("href"));
      check(from.every((name) => name.startsWith("data:")), "refers to " + from);
    },
    tables() {
      const tables = Array.from(document.querySelectorAll(".table > table"));
      check(tables.length > 0, "no table");
      let sorted = 0, filtered = 0;
      for (const table of tables) {
        const body = table.tBodies[0];
        if (body.rows.length < 2) continue;
        Array.from(table.tHead.rows[0].cells).forEach((heading, column) => {
          const name = table.caption.textContent + ", " + heading.textContent;
          const button = heading.querySelector("button");
          check(button && button.type === "button", "no button: " + name);
          button.focus();
          check(document.activeElement === button, "no focus: " + name);
          for (const way of ["ascending", "descending"]) {
            button.click();
            check(heading.getAttribute("aria-sort") === way, "aria-sort: " + name);
            const values = Array.from(body.rows, (row) => {
              const cell = row.cells[column];
              return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
            });
            const sign = way === "ascending" ? 1 : -1;
            const ordered = values.every((value, i) => {
              if (i === 0) return true;
              const before = values[i - 1];
              if (typeof value === "number" && typeof before === "number") return sign * (value - before) >= 0;
              if (typeof value !== typeof before) return sign * (typeof before === "number" ? 1 : -1) > 0;
              return sign * value.localeCompare(before, "en", { numeric: true }) >= 0;
            });
            check(ordered, way + ": " + name);
          }
          sorted += 1;
        });
        const box = table.parentElement.previousElementSibling;
        const input = box && box.querySelector ? box.querySelector(".filter input") || (box.matches(".filter") && box.querySelector("input")) : null;
        if (body.rows.length > 5) {
          check(input, "no filter: " + table.caption.textContent);
          const word = body.rows[3].cells[0].textContent.trim().toLowerCase();
          input.value = word;
          input.dispatchEvent(new Event("input"));
          for (const row of body.rows) {
            const holds = word.split(/\s+/).filter(Boolean).every((part) => row.textContent.toLowerCase().includes(part));
            check(row.hidden === !holds, "filter: " + row.textContent);
          }
          input.value = "no row has this";
          input.dispatchEvent(new Event("input"));
          check(Array.from(body.rows).every((row) => row.hidden), "filter of nothing: " + table.caption.textContent);
          input.value = "";
          input.dispatchEvent(new Event("input"));
          check(Array.from(body.rows).every((row) => !row.hidden), "filter undone: " + table.caption.textContent);
          filtered += 1;
        }
      }
      check(sorted > 0 && filtered > 0, "nothing to sort or filter");
    },
    links() {
      const links = Array.from(document.querySelectorAll('a[href^="#"]'));
      const evidence = links.filter((link) => link.getAttribute("href").startsWith("#finding-"));
      check(evidence.length > 0, "no finding");
      for (const link of links) {
        const target = document.getElementById(link.getAttribute("href").slice(1));
        check(target, "leads nowhere: " + link.getAttribute("href"));
      }
      for (const link of evidence) {
        link.click();
        const target = document.querySelector(":target");
        check(target && "#" + target.id === link.getAttribute("href"), "not reached: " + link.href);
        check(target && target.querySelector("svg, a[href$='.svg'], table, dl div"), "no evidence: " + link.href);
      }
      const ids = Array.from(document.querySelectorAll("[id]"), (element) => element.id);
      check(new Set(ids).size === ids.length, "an id twice");
    },
    overflow() {
      const root = document.documentElement;
      check(root.scrollWidth <= root.clientWidth, "page " + root.scrollWidth + " wider than " + root.clientWidth);
      check(document.body.scrollWidth <= root.clientWidth, "body too wide");
    },
    dark() {
      const back = () => getComputedStyle(document.body).backgroundColor;
      const before = back();
      const button = document.getElementById("theme");
      check(!button.hidden && button.textContent, "no button of the theme");
      button.click();
      const after = back();
      check(before !== after, "the theme stays " + before);
      const fill = () => getComputedStyle(document.querySelector('svg rect[fill="#FFFFFF"]')).fill;
      const ink = () => getComputedStyle(document.querySelector('svg text[fill="#1A1A1A"]')).fill;
      check(fill() === after, "figure on " + fill() + " in a page on " + after);
      check(ink() !== fill(), "no ink to be seen");
      button.click();
      check(back() === before && fill() === before, "the theme does not come back");
    },
    dusk() {
      const back = getComputedStyle(document.body).backgroundColor;
      check(matchMedia("(prefers-color-scheme: dark)").matches, "the browser prefers light");
      check(back === "rgb(22, 24, 27)", "light although dark is preferred: " + back);
    },
    hostile() {
      check(!window.hostile, "a label ran as a script");
      check(document.querySelectorAll("script").length === 2, "a script more");
      check(document.querySelectorAll("img, iframe, object, embed, form").length === 0, "an element more");
      check(document.body.innerText.includes("<script>window.hostile=1</" + "script>"), "a label is not shown as text");
      check(document.body.innerText.includes("\"'><img src=x onerror=window.hostile=1>"), "quotes are not shown as text");
      check(document.body.textContent.includes("U+202E"), "the mark of direction is not shown");
      check(!/[\u202a-\u202e\u2066-\u2069]/.test(document.body.textContent), "a mark of direction is left");
    },
  };
  for (const name of wanted) {
    try { checks[name](); } catch (error) { failed.push(name + ": " + error.stack); }
  }
  say();
});
