// The shell's small movements. Every page works without this file.
"use strict";

const root = document.documentElement;
root.classList.add("has-script");

// Appearance: change at once, remember in the background.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-theme-form] button[name=theme]");
  if (!button) return;
  event.preventDefault();
  const form = button.form;
  const body = new FormData(form);
  body.set("theme", button.value);
  root.dataset.theme = button.value;
  for (const other of document.querySelectorAll("[data-theme-form] button[name=theme]")) {
    other.setAttribute("aria-pressed", String(other.value === button.value));
  }
  root.dispatchEvent(new CustomEvent("themechange"));
  fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  root.dispatchEvent(new CustomEvent("themechange"));
});

// Filters that are sent as soon as one of them changes.
document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (form && form.matches("[data-autosubmit]")) form.requestSubmit();
});

// An explanation closes on Escape and gives the focus back to what opened it.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.activeElement && document.activeElement.closest("details.about[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});

// A form that came back with errors says so first.
document.addEventListener("DOMContentLoaded", () => {
  const alert = document.querySelector(".form .message[role=alert][tabindex]");
  if (alert) alert.focus();
});
