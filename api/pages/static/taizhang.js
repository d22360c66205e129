// What a page can do besides, where there is script: every form posts and every page reads without.
"use strict";

// "/" goes to the search field, Escape closes the phone's menu.
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("input, textarea, select");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const field = document.querySelector("[data-search]");
    if (field) { event.preventDefault(); field.focus(); }
  }
  if (event.key === "Escape" && location.hash === "#menu") location.hash = "#main";
});

// A look that is chosen is put on at once: what stands in the page's forms stays. Another language
// is another page, which came by a form perhaps: asked first where something would be lost.
const isUnsent = () => [...document.querySelectorAll("main form[method=post]:not([role=search])")].some((form) =>
  [...form.querySelectorAll("textarea, select, input:not([type=hidden])")].some((field) =>
    field.matches("[type=checkbox], [type=radio]") ? field.checked !== field.defaultChecked
      : field.matches("select") ? [...field.options].some((one) => one.defaultSelected) && !field.selectedOptions[0]?.defaultSelected
        : field.value !== field.defaultValue || (field.value && "posted" in document.body.dataset)));
const putOn = (name, value) => {
  const page = document.documentElement;
  const dark = document.getElementById("dark");
  if (value === "auto" || value === "normal") delete page.dataset[name];
  else page.dataset[name] = value;
  if (name === "theme") {
    dark.media = dark.dataset[value];
    document.querySelector("meta[name=color-scheme]").content = value === "auto" ? "light dark" : value;
    document.dispatchEvent(new Event("look"));
  }
};
document.addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  if (!form.matches(".choices") || !submitter) return;
  if (submitter.name === "lang") {
    if (isUnsent() && !confirm(form.dataset.ask)) event.preventDefault();
    return;
  }
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form));
  body.set(submitter.name, submitter.value);
  fetch(form.action, { method: "POST", body, redirect: "manual" }).then((answer) => {
    if (answer.type !== "opaqueredirect") return;
    putOn(submitter.name, submitter.value);
    form.querySelectorAll(`[name=${submitter.name}]`).forEach((one) => one.setAttribute("aria-pressed", String(one === submitter)));
    keepShellAlike();
  }, () => {}); // no signal: the page stays as it is
});

// A form is sent once, however often its button is pressed; coming back, it can be sent again.
// (Its request id would make the second the same; this spares the wait.)
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
});

// A filter that is chosen acts at once; without script its button does.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-auto]");
  if (form && event.target.matches("select, input[type=checkbox]")) form.requestSubmit();
});

// A form that lies in the page is opened there, and says what its link says: the network is not asked.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-ready]");
  const form = link && document.querySelector("#ready form");
  if (!form || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  for (const [name, value] of new URLSearchParams(link.dataset.ready)) form.elements[name].value = value;
  location.hash = "ready";
});

// The slider beside a day field moves the day.
document.querySelectorAll("[data-slider-for]").forEach((slider) => {
  const field = document.getElementById(slider.dataset.sliderFor);
  const first = Date.parse(slider.dataset.first);
  if (!field || Number.isNaN(first)) return;
  const dayAt = (number) => new Date(first + number * 86400000).toISOString().slice(0, 10);
  slider.hidden = false;
  slider.addEventListener("input", () => {
    field.value = dayAt(Number(slider.value));
    slider.setAttribute("aria-valuetext", field.value);
  });
  slider.addEventListener("change", () => field.form.requestSubmit());
});

// The shell that the browser keeps for where there is no signal follows a choice of language or look.
const keepShellAlike = () => {
  const { lang, dataset: { theme, size } } = document.documentElement;
  const look = [lang, theme, size].join(" ");
  const shellAt = document.querySelector("[data-outbox-count]")?.href;
  try {
    const kept = localStorage.getItem("look");
    if (document.body.dataset.shell) localStorage.setItem("look", look);
    else if (kept !== null && kept !== look && shellAt) {
      fetch(shellAt, { cache: "reload" }).then((answer) => { if (answer.ok) localStorage.setItem("look", look); }, () => {});
    }
  } catch { /* who may keep nothing has no shell either */ }
};
keepShellAlike();

// Whoever chooses a day of a month whose report is published is told so before recording.
document.querySelectorAll("form [data-published-months]").forEach((notice) => {
  const day = notice.closest("form").elements.occurred_on;
  const months = notice.dataset.publishedMonths.split(" ");
  day?.addEventListener("input", () => { notice.hidden = !months.includes(day.value.slice(0, 7)); });
});
