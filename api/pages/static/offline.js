// The page for where there is no signal: what waits, a new record, and whom one took along.
//
// Its shell says nothing of anybody; what it shows comes from this device, and only for whoever is signed in.
"use strict";

(() => {
  const { one, all, rules } = Outbox;
  const texts = Object.fromEntries(all("dt", one('[data-part="texts"]').content)
    .map((name) => [name.textContent, name.nextElementSibling.textContent]));
  const part = (name) => one(`[data-part="${name}"]`).content.firstElementChild.cloneNode(true);
  const button = (text, act, isPlain = true) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    if (isPlain) made.className = "plain";
    made.addEventListener("click", act);
    return made;
  };
  const now = () => Date.now();
  const localDay = () => {
    const day = new Date();
    return new Date(day.getTime() - day.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
  };
  let forms = [];
  let edited = null; // the entry that a form mends

  // ---- what waits ----

  const stateOf = (entry) => texts[entry.state === "waiting" && entry.is_perhaps_recorded ? "perhaps" : entry.state];

  const showEntry = (entry) => {
    const line = part("entry");
    const set = (name, text) => { one(`[data-field="${name}"]`, line).textContent = text; };
    const day = entry.values.find(([name]) => name === "occurred_on");
    set("label", entry.label);
    set("of", entry.about ? entry.about.label : entry.reference);
    set("day", day ? day[1] : "");
    set("state", stateOf(entry));
    const reason = one('[data-field="reason"]', line);
    reason.hidden = !entry.reason;
    reason.textContent = entry.reason ? said(entry) : "";
    one('[data-field="actions"]', line).append(...actionsOf(entry, line));
    line.dataset.key = entry.key;
    return line;
  };

  /** Why an entry came back: field by field as its form calls them, else in a sentence. */
  const said = ({ topic, reason }) => {
    const form = forms.find((each) => each.dataset.draft === topic);
    const title = (name) => {
      const field = form && one(`[name="${name}"]`, form);
      const box = field && (field.closest("fieldset") || field.closest("label"));
      return box ? `${one("span", box).textContent.replace("*", "").trim()}：` : "";
    };
    return Object.entries(reason.fields).map(([name, text]) => title(name) + text).join("；") || reason.text;
  };

  const actionsOf = (entry, line) => {
    const acts = [];
    const reason = entry.reason && entry.reason.code;
    if (reason === "household_changed") acts.push(button(texts.confirm, () => mend(entry, rules.confirmed), false));
    if (reason === "idempotency_key_reused") acts.push(button(texts.anew, () => sendAnew(entry), false));
    const isAbout = entry.about || entry.reference;
    if (isAbout && ["unnamed", "conflict", "refused"].includes(entry.state)) {
      acts.push(button(texts.resolve, () => { if (!one("[data-find]", line)) askWho(entry, line); }));
    }
    if (forms.some((form) => form.dataset.draft === entry.topic)) acts.push(button(texts.edit, () => openForm(entry.topic, entry)));
    acts.push(discarding(entry));
    return acts;
  };

  /** A deletion is asked for twice: the second press says that it is meant. */
  const discarding = (entry) => {
    const made = button(texts.discard, async () => {
      const sure = texts[entry.is_perhaps_recorded ? "perhaps_sure" : "sure"];
      if (made.textContent !== sure) { made.textContent = sure; return; }
      await Outbox.remove("entries", entry.key);
      await Outbox.refresh();
    });
    return made;
  };

  const mend = async (entry, change) => {
    await Outbox.change(entry.key, (found) => change(found, now()));
    await Outbox.upload(true);
  };

  /** The same content as another record: it gets another id. */
  const sendAnew = async (entry) => {
    await Outbox.put("entries", { ...rules.written(entry, now()), key: rules.newKey() });
    await Outbox.remove("entries", entry.key);
    await Outbox.upload(true);
  };

  const show = async (entries) => {
    const owner = Outbox.owner();
    one("[data-owned]").hidden = !owner;
    one('form[data-leave]').hidden = !owner;
    one("[data-waiting]").replaceChildren(...entries.map(showEntry));
    one("[data-waiting]").hidden = !entries.length;
    one("[data-none]").hidden = Boolean(entries.length);
    one("[data-total]").textContent = entries.length || "";
    one("[data-upload]").hidden = !entries.some(rules.isSendable);
    await showTaken(owner ? await Outbox.takenBy(owner.account) : []);
  };

  // ---- whom one took along, and who was meant ----

  const showTaken = async (taken) => {
    one("[data-taken]").hidden = !taken.length;
    one("[data-taken]").replaceChildren(...taken.map((item) => {
      const line = document.createElement("li");
      const name = document.createElement("span");
      name.textContent = `${item.label} · ${item.community}`;
      line.append(name, button(texts.drop, async () => {
        await Outbox.remove("taken", item.id);
        await Outbox.refresh();
      }));
      return line;
    }));
    for (const form of forms) offer(form, taken.filter((item) => item.kind === form.dataset.kind));
  };

  const offer = (form, taken) => {
    const select = form.elements.about;
    if (!select) return;
    const chosen = select.value;
    all("option[data-id]", select).forEach((option) => option.remove());
    select.options[0].after(...taken.map((item) => {
      const option = new Option(`${item.label} · ${item.community}`, item.id);
      option.dataset.id = item.id;
      return option;
    }));
    if ([...select.options].some((option) => option.value === chosen)) select.value = chosen;
  };

  const askWho = (entry, line) => {
    const form = part("resolve");
    form.elements.sought.value = entry.reference || "";
    form.dataset.key = entry.key;
    form.dataset.kind = entry.about ? entry.about.kind : entry.kind;
    line.append(form);
    form.elements.sought.focus();
  };

  const find = async (form) => {
    const box = one("[data-found]", form);
    const who = await Outbox.session();
    if (who === "signed_out") { await Outbox.signedOut(); return; }
    if (who === "later") { box.textContent = texts.no_signal; return; }
    const kind = form.elements.kind ? form.elements.kind.value : form.dataset.kind;
    const { status, body } = await Outbox.asked("/offline/find", {
      method: "POST", headers: { "X-Form-Token": who.form_token },
      body: new URLSearchParams({ kind, sought: form.elements.sought.value }),
    });
    const found = status === 200 && body ? body.items : [];
    box.replaceChildren(...found.map((item) => button(`${item.label} · ${item.community}`, () => choose(form, item))));
    if (found.length && !body.is_complete) box.append(texts.more);
    if (!found.length) box.textContent = body && body.detail ? body.detail : texts[status ? "nobody" : "no_signal"];
  };

  const choose = async (form, { kind, id, label, seen, community }) => {
    if (form.dataset.goal === "resolve") {
      const about = { kind, id, label, seen };
      await mend({ key: form.dataset.key }, (entry, at) => rules.mended(entry, { about }, at));
      return;
    }
    const isTaken = await Outbox.take({ kind, id, label, seen, community });
    one("[data-found]", form).textContent = isTaken ? "" : texts.full;
    form.reset();
    await Outbox.refresh();
  };

  // ---- a record ----

  const openForm = (topic, entry = null) => {
    edited = entry;
    for (const form of forms) form.hidden = form.dataset.draft !== topic;
    const form = forms.find((each) => !each.hidden);
    form.reset();
    form.elements.occurred_on.max = localDay();
    form.elements.occurred_on.value = localDay();
    if (entry) fill(form, entry);
    showReference(form);
    Outbox.showWrong(form, entry ? entry.reason : null);
    form.scrollIntoView({ block: "start" });
  };

  const fill = (form, entry) => {
    for (const field of form.elements) {
      const given = entry.values.filter(([name]) => name === field.name).map(([, value]) => value);
      if (["radio", "checkbox"].includes(field.type)) field.checked = given.includes(field.value);
      else if (field.multiple) for (const option of field.options) option.selected = given.includes(option.value);
      else if (given.length) [field.value] = given;
    }
    if (!form.elements.about) return;
    const { about, reference } = entry;
    if (about && ![...form.elements.about.options].some((option) => option.value === about.id)) {
      const option = new Option(about.label, about.id);
      option.dataset.id = about.id;
      form.elements.about.add(option);
    }
    form.elements.about.value = about ? about.id : reference ? "?" : "-";
    form.elements.reference.value = reference || "";
  };

  const showReference = (form) => {
    if (!form.elements.about) return;
    const isAsked = form.elements.about.value === "?";
    one("[data-reference]", form).hidden = !isAsked;
    form.elements.reference.required = isAsked;
  };

  const aboutOf = async (form) => {
    const id = form.elements.about ? form.elements.about.value : "";
    if (!id || id === "-" || id === "?") return null;
    if (edited && edited.about && edited.about.id === id) return edited.about;
    const found = (await Outbox.takenBy(Outbox.owner().account)).find((item) => item.id === id);
    return found ? { kind: found.kind, id, label: found.label, seen: found.seen } : null;
  };

  const keep = async (form) => {
    const owner = Outbox.owner();
    const present = await Outbox.get("kept", "owner"); // signed out on another page meanwhile?
    if (!owner || !present || present.account !== owner.account) { await Outbox.signedOut(); return; }
    const names = new Set([...form.elements].map((field) => field.name));
    const unasked = edited ? edited.values.filter(([name]) => !names.has(name)) : [];
    const content = {
      values: [...Outbox.valuesOf(form, ["about", "reference"]), ...unasked], about: await aboutOf(form),
      reference: form.elements.about && form.elements.about.value === "?" ? form.elements.reference.value : "",
      kind: form.dataset.kind,
    };
    if (edited) {
      await Outbox.change(edited.key, (found) => rules.mended(found, content, now()));
    } else {
      await Outbox.put("entries", rules.written({
        key: rules.newKey(), account: owner.account, station: owner.station, topic: form.dataset.draft,
        label: form.dataset.label, ...content,
      }, now()));
    }
    close(form);
    await Outbox.refresh();
    await Outbox.upload(true);
  };

  const close = (form) => {
    edited = null;
    form.hidden = true;
    form.reset();
    one("#waiting-title").scrollIntoView({ block: "start" });
  };

  // ---- beginning ----

  /** The forms as they were fetched: our own markup, from this device. */
  const showForms = async () => {
    const kept = await Outbox.get("kept", "forms");
    const owner = Outbox.owner();
    const isMine = owner && rules.isCurrent(kept, now()) && kept.account === owner.account;
    const html = isMine ? new DOMParser().parseFromString(kept.html, "text/html") : document.implementation.createHTMLDocument();
    if (!forms.some((form) => !form.hidden)) { // a form that is being filled in stays
      one("[data-forms]").replaceChildren(...all("form", html));
      forms = all("form[data-draft]");
      one("[data-choices]").replaceChildren(...forms.map((form) =>
        button(form.dataset.label, () => openForm(form.dataset.draft))));
    }
    const looksOnly = Boolean(isMine) && forms.length === 0; // fetched, and there is none for this role
    one("[data-no-forms]").hidden = looksOnly || forms.length > 0;
    one("[data-looks-only]").hidden = !looksOnly;
    one("[data-taking]").hidden = looksOnly;
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-draft]")) { event.preventDefault(); event.stopPropagation(); keep(form); }
    if (form.matches("[data-find]")) { event.preventDefault(); event.stopPropagation(); find(form); }
  }, true);
  document.addEventListener("change", (event) => {
    if (event.target.name === "about") showReference(event.target.form);
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-cancel]")) close(event.target.closest("form"));
    if (event.target.closest("[data-upload]")) Outbox.upload(true);
  });

  /** With a signal: whose session is it, today's forms, and what waits is sent. */
  const meetServer = async () => {
    const who = await Outbox.session();
    if (who === "signed_out") { await Outbox.signedOut(); await showForms(); return; }
    if (who === "later") { if (!Outbox.owner()) Outbox.say("no_owner"); return; }
    await Outbox.own(who.account, who.station);
    one("form[data-leave] [name=form_token]").value = who.form_token;
    one('[data-goal="take"]').hidden = false;
    await Outbox.fetchForms();
    await showForms();
    if (location.hash === "#leaving") {
      history.replaceState(null, "", location.pathname);
      one("form[data-leave]").requestSubmit(); // asks before anything is sent or lost
    } else await Outbox.upload(true);
  };

  const begin = async () => {
    try {
      await Outbox.begun;
    } catch {
      Outbox.say("no_store");
      return;
    }
    Outbox.listen(show);
    await showForms();
    await Outbox.refresh();
    await meetServer();
  };
  begin();
  window.addEventListener("online", meetServer);
  if (isSecureContext && navigator.serviceWorker) navigator.serviceWorker.register(document.body.dataset.shell);
})();
