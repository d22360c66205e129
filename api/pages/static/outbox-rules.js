// What becomes of a record that waits on a phone? The rules, without page, store or network.
//
// An entry waits, is returned with its reason, is in conflict, or is not yet about anybody. Only
// "this very form was recorded" lets it go: an answer of somebody else's (a portal, a proxy) does not.
"use strict";

const OutboxRules = (() => {
  const HOURS = 3600_000;
  const KEPT_FOR = 12 * HOURS; // who is signed in, the forms, whoever was taken along
  const MOST_TAKEN = 20;
  const DELAYS = [5_000, 15_000, 60_000, 300_000, 600_000]; // before the next attempt
  const CONFLICTS = ["household_changed", "idempotency_key_reused", "person_erased", "person_locked"];
  const PASSING = [408, 425, 429];

  /** A new id of 128 random bits: made here, since a plain-http page has no randomUUID. */
  const newKey = (fill = (bytes) => crypto.getRandomValues(bytes)) =>
    Array.from(fill(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

  /** An entry as it is written down; about nobody yet where a reference is still to be resolved. */
  const written = (said, now) => ({
    ...said, state: said.reference && !said.about ? "unnamed" : "waiting",
    made_at: now, tries: 0, next_at: now, is_perhaps_recorded: false, reason: null,
  });

  const inOrder = (entries) =>
    [...entries].sort((a, b) => a.made_at - b.made_at || (a.key < b.key ? -1 : 1));

  const isSendable = (entry) => entry.state === "waiting";
  const isDue = (entry, now) => isSendable(entry) && entry.next_at <= now;
  const delayAfter = (tries) => DELAYS[Math.min(Math.max(tries, 1), DELAYS.length) - 1];

  /** When to try again: `null` where nothing waits. */
  const nextAttempt = (entries) => {
    const times = entries.filter(isSendable).map((entry) => entry.next_at);
    return times.length ? Math.min(...times) : null;
  };

  /** What an answer means. `body` is its JSON, `null` where it has none. */
  const verdict = (key, status, body) => {
    const isReceipt = status === 201 && body && Number.isInteger(body.position);
    if (isReceipt) return body.request === key ? "recorded" : "later";
    if (!body || !body.code || status < 400 || status >= 500 || PASSING.includes(status)) return "later";
    if (status === 401 || body.code === "foreign_form") return "signed_out";
    return CONFLICTS.includes(body.code) ? "conflict" : "refused";
  };

  /** The entry while a request of it is on its way: from now on it may be recorded. */
  const leaving = (entry, now, patience) => ({
    ...entry, tries: entry.tries + 1, next_at: now + patience, is_perhaps_recorded: true,
  });

  /** The entry after an answer; `null` once it is recorded: nothing of it is kept. */
  const after = (entry, found, body, now) => {
    switch (found) {
      case "recorded": return null;
      case "signed_out": return { ...entry, next_at: now };
      case "later": return { ...entry, next_at: now + delayAfter(entry.tries) };
      default: return {
        ...entry, state: found, is_perhaps_recorded: false,
        reason: { code: body.code, text: body.detail, fields: body.fields || {}, facts: body.facts || {} },
      };
    }
  };

  /** The entry mended: what it says now, under the same id, waiting again. */
  const mended = (entry, changes, now) => ({
    ...written({ ...entry, ...changes }, now), made_at: entry.made_at,
    is_perhaps_recorded: entry.is_perhaps_recorded,
  });

  /** The entry about a household as it stands now, once its worker has looked at it. */
  const confirmed = (entry, now) => {
    const { seen, to } = entry.reason.facts;
    return mended(entry, { about: { ...entry.about, id: to, seen } }, now);
  };

  /** What a request of an entry carries. A household that was seen goes along as it was seen. */
  const sent = (entry) => {
    const pairs = [...entry.values, ["request", entry.key]];
    if (entry.about) pairs.push([entry.about.kind === "household" ? "household" : "subject", entry.about.id]);
    if (entry.about && entry.about.seen) pairs.push(["seen", entry.about.seen]);
    return pairs;
  };

  const isCurrent = (kept, now) => Boolean(kept) && kept.until > now;

  return {
    KEPT_FOR, MOST_TAKEN, newKey, written, inOrder, isSendable, isDue, delayAfter, nextAttempt,
    verdict, leaving, after, mended, confirmed, sent, isCurrent,
  };
})();
