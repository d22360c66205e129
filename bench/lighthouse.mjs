// What does Lighthouse say of pages in a Chromium that runs already? Each heading's score, 0 to 100,
// and the audits that cost points. Told and answered as JSON, over stdin and stdout (bench/lighthouse.py):
// a command line is read by everybody on the machine, and there is a session's cookie in it.
import { json } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const { modules, port, cookie, pages, headings } = await json(process.stdin);
const entry = pathToFileURL(`${modules}/lighthouse/core/index.js`).href;
const { default: lighthouse, desktopConfig } = await import(entry);

const found = [];
for (const { address, size } of pages) {
  const flags = { port, extraHeaders: { Cookie: cookie }, onlyCategories: headings, logLevel: "silent" };
  const { lhr } = await lighthouse(address, flags, size === "office" ? desktopConfig : undefined);
  if (lhr.runtimeError) throw new Error(`${address}: ${lhr.runtimeError.message}`);
  const scores = Object.fromEntries(Object.values(lhr.categories).map((one) => [one.id, Math.round(one.score * 100)]));
  const weighty = Object.values(lhr.categories).flatMap((one) => one.auditRefs).filter((one) => one.weight > 0);
  const costly = weighty.map((one) => lhr.audits[one.id]).filter((one) => one.score !== null && one.score < 0.9);
  const faults = costly.map((one) => `${one.id}: ${one.displayValue ?? one.title}`);
  found.push({ shown: lhr.finalDisplayedUrl, scores, faults });
}
process.stdout.write(JSON.stringify(found));
