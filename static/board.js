// Moves a card of the board with the pointer. It only starts one of the card's own actions, so that
// everything can be done without this file, by the menu of the card.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const board = document.querySelector("[data-board]");
  if (!board) return;
  const said = board.querySelector("[data-board-said]");
  let held = null;

  for (const card of board.querySelectorAll("[data-card]")) {
    if (!card.querySelector(".board-menu")) continue;
    card.draggable = true;
    card.querySelector("a").draggable = false;
  }

  function columnOf(element) {
    return element.closest("[data-column]");
  }

  function ways(card, column) {
    return [...card.querySelectorAll("[data-to]")].filter(
      (way) => way.dataset.to === column.dataset.column,
    );
  }

  function say(text) {
    said.textContent = text;
  }

  function letGo() {
    if (held) held.classList.remove("held");
    held = null;
    for (const column of board.querySelectorAll("[data-column]")) {
      column.classList.remove("may-drop", "no-drop");
    }
  }

  board.addEventListener("dragstart", (event) => {
    held = event.target.closest("[data-card]");
    if (!held) return;
    held.classList.add("held");
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", held.dataset.card);
    for (const column of board.querySelectorAll("[data-column]")) {
      if (column === columnOf(held)) continue;
      column.classList.add(ways(held, column).length ? "may-drop" : "no-drop");
    }
    say("");
  });

  board.addEventListener("dragover", (event) => {
    if (held && columnOf(event.target)) event.preventDefault();
  });

  board.addEventListener("drop", (event) => {
    const column = columnOf(event.target);
    if (!held || !column) return;
    event.preventDefault();
    const card = held;
    letGo();
    if (column === columnOf(card)) return;
    const [way, ...others] = ways(card, column);
    if (!way) {
      say(`${card.dataset.card}: ${column.dataset.way}`);
      return;
    }
    if (others.length) {
      card.querySelector(".board-menu").open = true;
      way.focus();
      return;
    }
    way.click();
  });

  board.addEventListener("dragend", letGo);

  // A menu closes on Escape and when another opens; the focus goes back to what opened it.
  board.addEventListener("toggle", (event) => {
    if (!event.target.open) return;
    for (const other of board.querySelectorAll(".board-menu[open]")) {
      if (other !== event.target) other.open = false;
    }
  }, true);
  board.addEventListener("keydown", (event) => {
    const menu = event.target.closest(".board-menu[open]");
    if (event.key !== "Escape" || !menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
});
