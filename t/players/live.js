// Plays a live stream with hls.js in headless Chromium for t/rotation_browser.t, which gives what to play as
// JSON in the first argument: { chromium, page, entry, seconds, rotations, target }. Prints a JSON line
// { "rotate": true } whenever the origin's URLs are to die, { "ok", "name", "detail" } for each check, and
// { "note" } for what is worth knowing.

'use strict';

const { chromium } = require('playwright-core');

const DEADLINE = 20000;   // ms until the stream plays
const wanted = JSON.parse(process.argv[2]);

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
  '--disable-background-networking', '--disable-component-update',
  '--autoplay-policy=no-user-gesture-required',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'];

const say = line => console.log(JSON.stringify(line));
const check = (name, ok, detail) => say({ name, ok: Boolean(ok), detail: ok ? undefined : String(detail) });
const sleep = ms => new Promise(done => { setTimeout(done, ms); });

// What goes wrong unseen.
function watch(page) {
  const log = { console: [], failed: [], statuses: [] };
  page.on('console', message => {
    const type = message.type();
    if (type === 'error' || type === 'warning') log.console.push(`${type}: ${message.text()}`);
  });
  page.on('pageerror', error => log.console.push(`exception: ${error}`));
  page.on('requestfailed', request => {
    const why = request.failure().errorText;
    if (why !== 'net::ERR_ABORTED') log.failed.push(`${why} ${request.url()}`);
  });
  page.on('response', response => {
    if (response.status() >= 400) log.statuses.push(`${response.status()} ${response.url()}`);
  });
  return log;
}

// In the page: where the film is, ten times a second. A machine that is busy elsewhere may miss some.
function startSampling() {
  window.samples = [];
  window.waits = [];
  video.addEventListener('waiting', () => waits.push(Math.round(performance.now())));
  setInterval(() => {
    samples.push([performance.now(), video.currentTime, hls.latency, state().frames, video.playbackRate]);
  }, 100);
}

// The longest time in ms without the film going on, and without the page running at all.
function longest(samples) {
  let since = samples[0], stall = 0, gap = 0, last = samples[0];
  for (const sample of samples) {
    gap = Math.max(gap, sample[0] - last[0]);
    stall = Math.max(stall, sample[0] - since[0]);
    if (sample[1] > since[1]) since = sample;
    last = sample;
  }
  return { stall, gap };
}

async function play(page) {
  await page.evaluate(url => playWithHlsJs(url), wanted.entry);
  const playing = await page.waitForFunction(
    () => state().time > 0 && state().frames > 10 && !video.paused, null,
    { timeout: DEADLINE, polling: 40 }).catch(() => null);
  check('plays', playing, JSON.stringify(await page.evaluate(() => [state(), seen])));
  if (!playing) return;
  const step = wanted.seconds * 1000 / (wanted.rotations + 1);
  await page.evaluate(startSampling);
  for (let i = 0; i < wanted.rotations; i++) {
    await sleep(step);
    say({ rotate: true });
  }
  await sleep(step);
  const { samples, waits } = await page.evaluate(() => ({ samples, waits }));
  judge(samples, waits);
}

function judge(samples, waits) {
  const { stall, gap } = longest(samples);
  const [first, last] = [samples[0], samples[samples.length - 1]];
  const [passed, film] = [(last[0] - first[0]) / 1000, last[1] - first[1]];
  const latency = Math.max(...samples.map(sample => sample[2]));
  say({ note: `${film.toFixed(1)} s of film in ${passed.toFixed(1)} s, ` +
    `longest stop ${Math.round(stall)} ms ` +
    `(the page itself: ${Math.round(gap)} ms), ${waits.length} times "waiting", ` +
    `latency ${first[2].toFixed(1)} s, at last ${last[2].toFixed(1)} s, at most ${latency.toFixed(1)} s, ` +
    `${last[3] - first[3]} frames` });
  check('never stops for longer than a target duration', stall <= wanted.target * 1000, `${stall} ms`);
  check('goes on all the time', film > passed - wanted.target, `${film} s of film in ${passed} s`);
  // hls.js stays three target durations behind the end of the window, which the origin is at most one behind.
  check('stays live', latency < 5 * wanted.target, `${latency} s behind`);
}

async function main() {
  const browser = await chromium.launch({ executablePath: wanted.chromium, headless: true, args: FLAGS });
  try {
    const page = await browser.newPage();
    const log = watch(page);
    await page.goto(wanted.page);
    await play(page);
    const errors = await page.evaluate(() => seen.errors);
    const fragments = await page.evaluate(() => seen.fragments.map(fragment => fragment.sn));
    const numbers = fragments.filter((sn, i) => sn !== fragments[i - 1]);
    say({ note: `segments ${numbers.join(' ')}` });
    check('segments one after the other', numbers.every((sn, i) => i === 0 || sn === numbers[i - 1] + 1),
      numbers.join(' '));
    for (const error of errors) say({ note: `hls.js: ${JSON.stringify(error)}` });
    check('hls.js reports no fatal error', !errors.some(error => error.fatal), JSON.stringify(errors));
    check('hls.js reports no error of the network', !errors.some(error => error.type === 'networkError'),
      JSON.stringify(errors));
    check('nothing in the console', log.console.length === 0, log.console.join('\n'));
    check('no request fails', log.failed.length === 0, log.failed.join('\n'));
    check('no answer is an error', log.statuses.length === 0, log.statuses.join('\n'));
  } finally {
    await browser.close();
  }
}

main().catch(error => {
  check('the browser test runs to its end', false, error.stack);
  process.exitCode = 1;
});
