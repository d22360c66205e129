// A page that is looked at is told what others record, and shows it where that disturbs nobody.
"use strict";
(() => {
  const address = document.querySelector("main").dataset.listen;
  const SPAN = 10000; // milliseconds between two looks
  const LONGEST = 300000; // between two tries to listen again
  let source = null;
  let last = 0;
  let due = null;
  let pause = 30000;
  let reached = null;

  const parts = () => [...document.querySelectorAll("[data-part]")];
  const isChanged = (field) =>
    field.type === "checkbox" || field.type === "radio" ? field.checked !== field.defaultChecked
      : field.tagName === "SELECT" ? [...field.options].some((one) => one.selected !== one.defaultSelected && field.options.length > 1 && one.defaultSelected)
        : field.value !== field.defaultValue;
  // Whoever types, reads something opened, selects text or stands in a part is not disturbed.
  const isBusy = (part) =>
    part.contains(document.activeElement) || "keep" in part.dataset || part.querySelector("details[open]") !== null
    || (!getSelection().isCollapsed && part.contains(getSelection().anchorNode))
    || [...part.querySelectorAll("input, select, textarea")].some(isChanged);

  const tell = () => {
    const place = document.getElementById("news");
    if (!place.firstElementChild) place.append(document.getElementById("news-text").content.cloneNode(true));
  };

  const look = async () => {
    due = null;
    last = Date.now();
    if (parts().length === 0 || parts().some(isBusy)) return tell();
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
    if (!answer?.ok || answer.redirected) return tell();
    const found = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of parts()) {
      const fresh = found.getElementById(part.id);
      if (!fresh || isBusy(part)) return tell();
      if (fresh.isEqualNode(part)) continue;
      part.replaceWith(document.adoptNode(fresh));
      window.htmx?.process(fresh);
    }
    document.getElementById("news").replaceChildren();
  };

  const listen = () => {
    if (source || document.hidden) return;
    const url = new URL(address, location.href);
    if (reached !== null) url.searchParams.set("after", reached);
    source = new EventSource(url);
    source.addEventListener("open", () => { pause = 30000; });
    source.addEventListener("recorded", (event) => {
      reached = JSON.parse(event.data).position;
      due ??= setTimeout(look, Math.max(0, last + SPAN - Date.now()));
    });
    source.addEventListener("error", () => {
      if (source?.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      source = null;
      setTimeout(listen, pause * (0.75 + Math.random() / 2));
      pause = Math.min(pause * 2, LONGEST);
    });
  };
  const stop = () => { source?.close(); source = null; };

  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : listen()));
  window.addEventListener("pagehide", stop);
  window.addEventListener("pageshow", listen);
  listen();
})();
