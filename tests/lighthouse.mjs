// What Lighthouse finds on pages of this machine, as JSON; test_lighthouse.py runs it.
// node lighthouse.mjs NODE_MODULES CHROMIUM "FLAGS" COOKIES URL...

import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, chromePath, flags, cookies, ...urls] = process.argv.slice(2);
const from = (path) => import(pathToFileURL(join(modules, path)));
const { default: lighthouse, desktopConfig } = await from("lighthouse/core/index.js");
const { launch } = await from("chrome-launcher/dist/index.js");
const { connect } = await from("puppeteer-core/lib/esm/puppeteer/puppeteer-core.js");

const CATEGORIES = ["accessibility", "best-practices"];
const DEVICES = { mobile: undefined, desktop: desktopConfig };

const chrome = await launch({ chromePath, chromeFlags: flags.split(" "), logLevel: "silent" });
// In the browser's own jar: a header of ours is gone as soon as a page sets a cookie itself.
const browser = await connect({ browserURL: `http://127.0.0.1:${chrome.port}` });
await browser.setCookie(...JSON.parse(cookies));
await browser.disconnect();

const options = {
  port: chrome.port,
  logLevel: "silent",
  onlyCategories: CATEGORIES,
  throttlingMethod: "simulate", // afterwards; any other way waits five seconds for quiet, twice
  pauseAfterFcpMs: 0,
  pauseAfterLoadMs: 0,
  networkQuietThresholdMs: 100,
  cpuQuietThresholdMs: 100,
  maxWaitForLoad: 15_000,
  disableFullPageScreenshot: true,
};

const found = [];
try {
  for (const url of urls) {
    for (const [device, config] of Object.entries(DEVICES)) {
      const { lhr } = await lighthouse(url, options, config);
      const scores = CATEGORIES.map((name) => Math.round(lhr.categories[name].score * 100));
      const failed = Object.values(lhr.audits).filter((audit) => audit.score !== null && audit.score < 1);
      found.push({
        url: lhr.finalDisplayedUrl,
        device,
        scores,
        failed: failed.map(({ id, title, details }) => `${id}: ${title} ${JSON.stringify(details?.items ?? "")}`),
        error: lhr.runtimeError?.message ?? "",
      });
    }
  }
} finally {
  chrome.kill();
}
console.log(JSON.stringify(found));
