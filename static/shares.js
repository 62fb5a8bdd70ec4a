// Keeps the sum of entered shares up to date; the page says it anyway when it is sent.
"use strict";

for (const form of document.querySelectorAll("form[data-shares]")) {
  const sum = form.querySelector("[data-sum]");
  const tell = () => {
    let total = 0;
    for (const field of form.querySelectorAll('input[type="number"]')) {
      total += Number(field.value) || 0;
    }
    sum.textContent = String(Math.round(total * 100) / 100);
    sum.dataset.tone = Math.abs(total - 100) > 0.5 ? "watch" : "good";
  };
  form.addEventListener("input", tell);
  tell();
}
