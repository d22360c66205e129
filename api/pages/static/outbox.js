// The outbox of a page: what could not be sent waits in IndexedDB, tied to the account that wrote it.
//
// It works on a plain-http network: no service worker, no crypto.subtle. An id is made with the form,
// so that sending again records nothing twice; what was recorded is deleted here, and what was refused
// stays with its reason. Whoever signs in as somebody else sees nothing of it.
"use strict";

const Outbox = (() => {
  const rules = OutboxRules;
  const PATIENCE = 20_000; // how long an answer is waited for
  const FIRST_PATIENCE = 12_000;
  const page = document.body.dataset;
  const isShell = "shell" in page;
  const LEAVING = "/offline#leaving";
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  let owner = null; // {account, station, until}
  let uploading = null;
  let timer = 0;
  const listeners = [];

  // ---- the store ----

  const opened = new Promise((resolve, reject) => {
    const request = indexedDB.open("taizhang", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("entries", { keyPath: "key" });
      request.result.createObjectStore("taken", { keyPath: "id" });
      request.result.createObjectStore("kept", { keyPath: "name" });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("blocked"));
  });
  opened.catch(() => {}); // told where it is used

  /** Runs `work` on stores in one transaction; answers its result once that is on disk. */
  const within = async (stores, mode, work) => {
    const base = await opened;
    return new Promise((resolve, reject) => {
      const transaction = base.transaction(stores, mode);
      let result;
      transaction.oncomplete = () => resolve(result && "result" in result ? result.result : undefined);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
      result = work((name) => transaction.objectStore(name));
    });
  };
  const get = (store, key) => within([store], "readonly", (at) => at(store).get(key));
  const put = (store, value) => within([store], "readwrite", (at) => at(store).put(value));
  const remove = (store, key) => within([store], "readwrite", (at) => { at(store).delete(key); });
  const everything = (store) => within([store], "readonly", (at) => at(store).getAll());
  const mine = (items, account) => items.filter((item) => item.account === account);

  const entriesOf = async (account) => rules.inOrder(mine(await everything("entries"), account));
  const takenBy = async (account) =>
    mine(await everything("taken"), account).filter((item) => rules.isCurrent(item, Date.now()));

  /** Changes an entry where it still is there: one that another tab has sent stays away. */
  const change = (key, changed) => within(["entries"], "readwrite", (at) => {
    const request = at("entries").get(key);
    request.onsuccess = () => {
      if (!request.result) return;
      const next = changed(request.result);
      if (next) at("entries").put(next); else at("entries").delete(key);
    };
    return request;
  });

  /** Forgets whom and what somebody took along; what waits stays, for its account alone. */
  const forget = () => within(["taken", "kept"], "readwrite", (at) => {
    at("taken").clear();
    at("kept").clear();
  });
  const discard = async (account) => {
    for (const entry of await entriesOf(account)) await remove("entries", entry.key);
  };

  /** From now on this device is used by an account; another's forms and households go. */
  const own = async (account, station) => {
    const before = await get("kept", "owner");
    if (before && before.account !== account) await forget();
    owner = { name: "owner", account, station, until: Date.now() + rules.KEPT_FOR };
    await put("kept", owner);
  };

  const prune = async () => {
    const now = Date.now();
    for (const store of ["taken", "kept"]) {
      for (const item of await everything(store)) {
        if (!rules.isCurrent(item, now)) await remove(store, store === "taken" ? item.id : item.name);
      }
    }
  };

  // ---- the network ----

  /** A request to our own service; `{status: 0}` where no answer of its came in time. */
  const asked = async (address, options = {}, patience = PATIENCE) => {
    const control = new AbortController();
    const limit = setTimeout(() => control.abort(), patience);
    try {
      const answer = await fetch(address, {
        cache: "no-store", redirect: "manual", signal: control.signal, ...options,
        headers: { Accept: "application/json", ...options.headers },
      });
      const isJson = /json/.test(answer.headers.get("Content-Type") || "");
      return { status: answer.status, body: isJson ? await answer.json() : null, answer };
    } catch {
      return { status: 0, body: null };
    } finally {
      clearTimeout(limit);
    }
  };

  const send = async (entry, token, patience = PATIENCE) => {
    const about = entry.station ? `?station=${encodeURIComponent(entry.station)}` : "";
    const found = await asked(`/record/${entry.topic}${about}`, {
      method: "POST", body: new URLSearchParams(rules.sent(entry)), headers: { "X-Form-Token": token },
    }, patience);
    return { verdict: rules.verdict(entry.key, found.status, found.body), body: found.body };
  };

  /** Who is signed in: an account with its token, "signed_out", or "later" without an answer. */
  const session = async () => {
    const { status, body } = await asked("/offline/session");
    if (status === 200 && body && body.account) return body;
    return status === 401 && body && body.code === "not_authenticated" ? "signed_out" : "later";
  };

  // ---- sending what waits ----

  /** Sends all that is due, the oldest first; nothing of another account's than the session's. */
  const upload = (isAsked = false) => {
    uploading = uploading || uploadAll(isAsked).finally(() => { uploading = null; });
    return uploading;
  };

  const uploadAll = async (isAsked) => {
    const who = await session();
    if (who === "signed_out") { await signedOut(); return; }
    if (who === "later") { await postpone(); await refresh(); return; }
    await own(who.account, who.station);
    let count = 0;
    for (const entry of await entriesOf(who.account)) {
      if (!(isAsked ? rules.isSendable(entry) : rules.isDue(entry, Date.now()))) continue;
      const found = await sendKept(entry, who.form_token);
      if (found === "recorded") count += 1;
      if (found === "signed_out" || found === "no_answer") break; // the others would fare the same
    }
    const isReturned = await refresh();
    if (count && !isReturned) say("sent");
  };

  const sendKept = async (entry, token) => {
    const leaving = (found) => rules.leaving(found, Date.now(), PATIENCE);
    await change(entry.key, leaving);
    const { verdict, body } = await send(entry, token);
    await change(entry.key, (found) => rules.after(found, verdict, body, Date.now()));
    if (verdict === "recorded" && entry.about) await forgetVisited(entry);
    if (verdict === "signed_out") await signedOut();
    return verdict === "later" && !body ? "no_answer" : verdict;
  };

  /** Without an answer everything that is due waits a little longer. */
  const postpone = async () => {
    for (const entry of await entriesOf(owner ? owner.account : "")) {
      if (!rules.isDue(entry, Date.now())) continue;
      await change(entry.key, (found) => rules.after({ ...found, tries: found.tries + 1 }, "later", null, Date.now()));
    }
  };

  /** Whoever was taken along for a record that is uploaded is forgotten, unless another waits. */
  const forgetVisited = async ({ account, about }) => {
    const left = await entriesOf(account);
    if (!left.some((entry) => entry.about && entry.about.id === about.id)) await remove("taken", about.id);
  };

  const signedOut = async () => {
    await forget();
    owner = null;
    await refresh();
    say("signed_out");
  };

  // ---- what the page says ----

  const say = (name, text = "") => {
    all("[data-say]").forEach((box) => { box.hidden = box.dataset.say !== name; });
    const box = one(`[data-say="${name}"]`);
    if (text && box) one("p", box).textContent = text;
    if (box) box.scrollIntoView({ block: "nearest" });
  };

  /** Shows how much waits, and plans the next attempt. */
  const refresh = async () => {
    const entries = owner ? await entriesOf(owner.account) : [];
    const link = one("[data-outbox-count]");
    if (link) {
      link.hidden = !entries.length;
      one("b", link).textContent = entries.length;
    }
    const isReturned = entries.some((entry) => !rules.isSendable(entry));
    if (!isShell && isReturned) say("returned");
    clearTimeout(timer);
    const next = rules.nextAttempt(entries);
    if (next !== null) timer = setTimeout(() => upload(), Math.max(next - Date.now(), 1_000));
    for (const listener of listeners) await listener(entries);
    return isReturned;
  };

  /** Puts what is wrong at the fields of a form, or above it where it is about none of them. */
  const showWrong = (form, reason) => {
    all(".wrong", form).forEach((text) => text.remove());
    all("[aria-invalid]", form).forEach((field) => field.removeAttribute("aria-invalid"));
    const box = one("[data-problem]", form);
    if (box) { box.hidden = !reason; box.textContent = reason ? reason.text : ""; }
    for (const [name, text] of Object.entries(reason ? reason.fields : {})) {
      const field = form.elements[name] && (form.elements[name].length && !form.elements[name].name
        ? form.elements[name][0] : form.elements[name]);
      if (!field) continue;
      const said = document.createElement("p");
      said.className = "wrong";
      said.textContent = text;
      said.id = `wrong-${form.dataset.draft || "form"}-${name}`;
      (field.closest("fieldset") || field.closest("label") || form).append(said);
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", said.id);
      const more = field.closest("details");
      if (more) more.open = true;
    }
    const first = one('[aria-invalid="true"]', form);
    if (first) first.focus();
  };

  const valuesOf = (form, left) =>
    [...new FormData(form)].filter(([name, value]) => !left.includes(name) && typeof value === "string");

  /** A photo is not kept on the phone: a form with one is sent as without script. */
  const hasFile = (form) => [...form.querySelectorAll('input[type="file"]')].some((field) => field.files.length);

  // ---- a page's form: sent at once, or kept ----

  const BESIDE = ["form_token", "request", "household", "subject"];

  const entryOf = (form) => {
    const fields = form.elements;
    const kind = fields.household ? "household" : fields.subject ? "volunteer" : "";
    const id = kind && (fields.household || fields.subject).value;
    const { outbox, label, of, seen } = form.dataset;
    return rules.written({
      key: fields.request.value, account: page.account, station: page.station, topic: outbox, label,
      about: id ? { kind, id, label: of, seen } : null, reference: "", values: valuesOf(form, BESIDE),
    }, Date.now());
  };

  /** Keeps a form before it is sent, so that it is here whatever happens on the way. */
  const sendForm = async (form) => {
    const entry = entryOf(form);
    try {
      await put("entries", rules.leaving(entry, Date.now(), FIRST_PATIENCE + 2_000));
    } catch {
      form.submit(); // nothing can be kept: sent as without script
      return;
    }
    const now = { ...entry, about: entry.about && { ...entry.about, seen: "" } }; // it was seen just now
    const { verdict, body } = await send(now, form.elements.form_token.value, FIRST_PATIENCE);
    if (verdict === "recorded") {
      await remove("entries", entry.key);
      location.assign(body.href);
    } else if (verdict === "refused" || verdict === "conflict") {
      await remove("entries", entry.key);
      returnForm(form, body);
    } else {
      await change(entry.key, (found) => rules.after(found, verdict, body, Date.now()));
      form.reset();
      form.elements.request.value = rules.newKey(); // what comes next is another record
      delete form.dataset.sent;
      await refresh();
      if (verdict === "signed_out") await signedOut(); else say("kept");
    }
  };

  const returnForm = (form, body) => {
    delete form.dataset.sent;
    if (body.request) form.elements.request.value = body.request;
    say("wrong", body.detail);
    showWrong(form, { text: body.detail, fields: body.fields || {} });
  };

  // ---- leaving: with what waits, or without it ----

  /** Nothing about anybody stays in the page: the browser may show it again as it was. */
  const wipe = () => all("[data-waiting], [data-taken], [data-forms]").forEach((part) => part.replaceChildren());

  const leave = async (form) => {
    const account = owner ? owner.account : page.account;
    if (account) await discard(account);
    await forget();
    owner = null;
    wipe();
    form.submit();
  };

  const askToLeave = (form, count) => {
    const dialog = one("[data-leaving]");
    const understood = one("[data-understood]", dialog);
    one("[data-count]", dialog).textContent = count;
    understood.checked = false;
    understood.onchange = () => { one("[data-discard]", dialog).disabled = !understood.checked; };
    one("[data-discard]", dialog).disabled = true;
    one("[data-discard]", dialog).onclick = () => leave(form);
    one("[data-stay]", dialog).onclick = () => dialog.close();
    one("[data-upload-first]", dialog).onclick = async () => {
      await upload(true);
      const left = owner ? (await entriesOf(owner.account)).length : count;
      if (!left) { await leave(form); return; }
      one("[data-count]", dialog).textContent = left;
      one("[data-still]", dialog).hidden = false;
    };
    one("[data-still]", dialog).hidden = true;
    dialog.showModal();
  };

  const leaveOrAsk = async (form) => {
    const waiting = owner ? (await entriesOf(owner.account).catch(() => [])).length : 0;
    if (!waiting) await leave(form).catch(() => form.submit());
    else if (isShell) askToLeave(form, waiting);
    else location.assign(LEAVING); // the page that shows what waits asks
  };

  // ---- taking a household along ----

  const take = async (found) => {
    const before = await takenBy(owner.account);
    if (before.length >= rules.MOST_TAKEN && !before.some((item) => item.id === found.id)) return false;
    await put("taken", { ...found, account: owner.account, until: Date.now() + rules.KEPT_FOR });
    return true;
  };

  const takeFrom = async (button) => {
    const { status, body } = await asked(button.dataset.take);
    if (status !== 200 || !body || !(await take(body))) return;
    await fetchForms();
    button.disabled = true;
    one("[data-took]").hidden = false;
  };

  /** The forms with today's codes: fetched while there is a signal, forgotten with the session. */
  const fetchForms = async () => {
    const { status, answer } = await asked("/offline/forms", { headers: { Accept: "text/html" } });
    if (status !== 200 || !answer) return;
    const html = await answer.text();
    if (!html.includes("data-draft")) return; // no answer of ours; a role without forms is told of none
    await put("kept", { name: "forms", account: owner.account, html, until: Date.now() + rules.KEPT_FOR });
  };

  // ---- beginning ----

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const isReshaped = event.submitter && event.submitter.name; // a row more or less: nothing is recorded
    const isKept = form.matches("form[data-outbox]") && !isReshaped && !hasFile(form) && owner && owner.account === page.account;
    if (!(isKept || (form.matches("form[data-leave]") && owner))) return;
    event.preventDefault();
    event.stopPropagation();
    if (form.dataset.sent) return;
    if (isKept) { form.dataset.sent = "yes"; sendForm(form); } else leaveOrAsk(form);
  }, true);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-take]");
    if (button && owner) takeFrom(button);
  });
  window.addEventListener("online", () => { if (owner) upload(true); });
  window.addEventListener("pageshow", async (event) => {
    if (!event.persisted) return;
    if (isShell) { wipe(); location.reload(); return; }
    owner = (await get("kept", "owner")) || null;
    if (owner && owner.account === page.account) await refresh(); else location.reload(); // somebody else's by now
  });

  const begin = async () => {
    await prune();
    if (page.account) await own(page.account, page.station);
    else if (isShell) owner = (await get("kept", "owner")) || null;
    else if (one("[data-nobody]")) await forget();
    all("[data-with-script]").forEach((part) => { part.hidden = !page.account; });
    await refresh();
    if (!isShell && owner && (await entriesOf(owner.account)).some(rules.isSendable)) upload(true);
  };
  const begun = begin();
  begun.catch(() => {}); // without a store the forms are sent as without script

  return {
    rules, begun, entriesOf, takenBy, take, change, put, remove, get, asked, session, upload, refresh,
    say, showWrong, valuesOf, fetchForms, own, signedOut, one, all,
    owner: () => owner, listen: (listener) => listeners.push(listener),
  };
})();
