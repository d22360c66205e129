// Where there is TLS: the shell of the offline page is there without a signal. SHELL and CACHE stand above.
//
// It keeps the files of the shell and answers for nothing else: no page about anybody is ever kept.
"use strict";

const WAIT = 4_000; // for the network, before the kept shell is shown

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE)
    .then((cache) => cache.addAll(SHELL.map((address) => new Request(address, { cache: "reload" }))))
    .then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name))))
    .then(() => self.clients.claim()));
});

const kept = (address) => caches.open(CACHE).then((cache) => cache.match(address));

/** The shell from the network, so that it is new; the kept one where that takes long or fails. */
const shell = async (request) => {
  const control = new AbortController();
  const limit = setTimeout(() => control.abort(), WAIT);
  try {
    return await fetch(request, { signal: control.signal });
  } catch {
    return (await kept(SHELL[0])) || Response.error();
  } finally {
    clearTimeout(limit);
  }
};

/** The shell anew, as it is to be kept from now on: another language or look was chosen. */
const renewed = async (request) => {
  const answer = await fetch(request);
  if (answer.ok) await (await caches.open(CACHE)).put(SHELL[0], answer.clone());
  return answer;
};

/** Any other page: as it is; without a signal one is led to the shell. */
const page = (request) => fetch(request).catch(() => Response.redirect(SHELL[0]));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (pathname === SHELL[0] && request.mode === "navigate") event.respondWith(shell(request));
  else if (pathname === SHELL[0] && request.cache === "reload") event.respondWith(renewed(request));
  else if (SHELL.includes(pathname)) event.respondWith(kept(pathname).then((found) => found || fetch(request)));
  else if (request.mode === "navigate") event.respondWith(page(request));
});
