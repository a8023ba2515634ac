"use strict";
// The page is whole without this: it adds buttons that copy and sort, and opens all for the printer.

function button(text, label, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", () => act(made));
  return made;
}

function copied(text, block) {
  const select = () => {
    getSelection().selectAllChildren(block);
    return document.execCommand("copy");
  };
  if (!navigator.clipboard) return Promise.resolve(select());
  return navigator.clipboard.writeText(text).then(() => true, select);
}

for (const block of document.querySelectorAll("pre.sql")) {
  const around = document.createElement("div");
  around.className = "copying";
  block.replaceWith(around);
  const copy = button("Copy", "Copy the statements", (made) => {
    copied(block.textContent.trim(), block).then((done) => {
      made.textContent = done ? "Copied" : "Selected";
      setTimeout(() => { made.textContent = "Copy"; }, 1500);
    });
  });
  around.append(block, copy);
}

function sortBy(table, column, header) {
  const numbers = header.classList.contains("n");
  const now = header.getAttribute("aria-sort") ?? (numbers ? "ascending" : "descending");
  const next = now === "ascending" ? "descending" : "ascending";
  const value = ({cells}) => numbers ? Number(cells[column].dataset.v ?? -1) : cells[column].textContent;
  const compared = (a, b) => numbers ? value(a) - value(b) : value(a).localeCompare(value(b));
  const rows = [...table.tBodies[0].rows].sort(compared);
  table.tBodies[0].append(...(next === "ascending" ? rows : rows.reverse()));
  for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", next);
}

for (const table of document.querySelectorAll("table.sort")) {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    header.replaceChildren(button(header.textContent, "", () => sortBy(table, column, header)));
  });
}

let shut = [];
addEventListener("beforeprint", () => {
  shut = [...document.querySelectorAll("details:not([open])")];
  for (const details of shut) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of shut) details.open = false;
});
