// Plays the sample in headless Chromium, by hls.js or by the browser itself, for t/browser.t, which gives
// what to play as JSON in the first argument and reads a JSON line for each check:
//   { label, mode: "hls.js" | "native", chromium, page, entry, relay, duration,
//     renditions: { name: [url, width] } }

'use strict';

const { chromium } = require('playwright-core');

const DEADLINE = 20000;   // ms for one condition
const STEP = 0.6;         // seconds of film that count as playing
const wanted = JSON.parse(process.argv[2]);

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
  '--disable-background-networking', '--disable-component-update',
  '--autoplay-policy=no-user-gesture-required',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'];

// hls.js goes on by itself after these, which come of a busy machine and of switches during an append.
const HARMLESS = ['bufferStalledError', 'bufferNudgeOnStall', 'bufferSeekOverHole', 'bufferAppendNoProgress'];

function check(what, ok, detail) {
  const name = `${wanted.label}: ${what}`;
  console.log(JSON.stringify({ name, ok: Boolean(ok), detail: ok ? undefined : detail }));
  return ok;
}

// What goes wrong unseen: the console, the page's errors, and requests that fail or leave the relay.
function watch(page) {
  const log = { console: [], failed: [], foreign: [], statuses: [], relayed: 0 };
  const own = [wanted.page, new URL('/hls.js', wanted.page).href];
  page.on('console', message => {
    const type = message.type();
    if (type === 'error' || type === 'warning') log.console.push(`${type}: ${message.text()}`);
  });
  page.on('pageerror', error => log.console.push(`exception: ${error}`));
  page.on('request', request => {
    const url = request.url();
    if (url.startsWith(`${wanted.relay}/hls/`)) log.relayed++;
    const fine = url.startsWith(`${wanted.relay}/`) || own.includes(url) || /^(blob|data):/.test(url);
    if (!fine) log.foreign.push(url);
  });
  page.on('requestfailed', request => {
    // A player drops what it asked for when it seeks or switches.
    const why = request.failure().errorText;
    if (why !== 'net::ERR_ABORTED') log.failed.push(`${why} ${request.url()}`);
  });
  page.on('response', response => {
    if (response.status() >= 400) log.statuses.push(`${response.status()} ${response.url()}`);
  });
  return log;
}

class Stop extends Error {}

// Waits until `condition` (run in the page) holds. What comes after one that does not hold would fail, too.
async function reaches(page, name, condition, argument) {
  try {
    await page.waitForFunction(condition, argument, { timeout: DEADLINE, polling: 40 });
  } catch (error) {
    const state = await page.evaluate(() => JSON.stringify({ state: state(), seen })).catch(e => String(e));
    check(name, false, `${String(error.message).split('\n')[0]} ${state}`);
    throw new Stop();
  }
  check(name, true);
}

// From here on a piece of film passes and frames are rendered.
async function plays(page, name) {
  const from = await page.evaluate(() => state());
  return reaches(page, `${name}: plays`, ([from, step]) => {
    const now = state();
    return now.time >= from.time + step && now.frames >= from.frames + 5 && !now.paused && !now.error;
  }, [from, STEP]);
}

function knowsDuration(page, name) {
  return reaches(page, name, duration => Math.abs(video.duration - duration) < 0.5, wanted.duration);
}

async function seeks(page, name, time) {
  await page.evaluate(time => { video.currentTime = time; }, time);
  await reaches(page, `${name}: seeks to ${time} s`, time => {
    const now = state();
    return !now.seeking && now.time >= time && now.time < time + 4;
  }, time);
  await plays(page, `${name}, after the seek`);
}

// ---- hls.js

async function hlsJs(page) {
  await page.evaluate(url => playWithHlsJs(url), wanted.entry);
  await plays(page, 'start');
  await knowsDuration(page, 'the whole film is known');
  await reaches(page, 'alternate audio', () => hls.audioTracks.length === 1 && state().audioBytes > 0);
  await seeks(page, 'forth', 9.3);
  await seeks(page, 'back', 2.7);
  await everyLevel(page);
  await subtitles(page);
}

async function everyLevel(page) {
  const levels = await page.evaluate(() => hls.levels.map(level => level.url[0] ?? level.url));
  const names = Object.keys(wanted.renditions);
  const level_of = name => levels.findIndex(url => url.endsWith(wanted.renditions[name][0]));
  check('every rendition is a level', names.every(name => level_of(name) >= 0), JSON.stringify(levels));
  for (const name of names) {
    const level = level_of(name);
    if (level < 0) continue;
    const keys = await page.evaluate(() => seen.keys);
    await seeks(page, `before level ${name}`, 1);
    await page.evaluate(level => { hls.currentLevel = level; }, level);
    await reaches(page, `level ${name}: is on the screen`, ([level, width]) => {
      const now = state();
      return now.fragment?.level === level && now.width === width && !now.seeking;
    }, [level, wanted.renditions[name][1]]);
    await plays(page, `level ${name}`);
    await seeks(page, `level ${name}`, 10.4);
    if (name === 'aes') {
      check('level aes: its key was loaded', await page.evaluate(keys => seen.keys > keys, keys), keys);
    }
  }
}

// The n-th cue of the sample says "Second n" from second n on.
async function subtitles(page) {
  await page.evaluate(() => {
    hls.subtitleTrack = 0;
    hls.subtitleDisplay = true;
    video.currentTime = 4;
  });
  await reaches(page, 'subtitles, at their times', () => {
    const cues = [...video.textTracks].flatMap(track => [...(track.cues || [])]);
    const second = cue => Number(cue.text.replace('Second ', ''));
    return cues.length > 2 && cues.every(cue => Math.abs(cue.startTime - second(cue)) < 0.1);
  });
}

// ---- the browser's own HLS

async function native(page) {
  const can = await page.evaluate(() => video.canPlayType('application/vnd.apple.mpegurl'));
  if (!can) {
    console.log(JSON.stringify({ skip: 'this Chromium has no HLS of its own' }));
    return;
  }
  await nativePlay(page, 'entry', wanted.entry);
  await reaches(page, 'sound', () => state().audioBytes > 0);
  for (const [name, [url]] of Object.entries(wanted.renditions)) await nativePlay(page, name, url);
}

async function nativePlay(page, name, url) {
  await page.evaluate(url => playNatively(url), url);
  await plays(page, name);
  await knowsDuration(page, `${name}: the whole film is known`);
  await seeks(page, name, 9.3);
  await seeks(page, `${name}, back`, 2.7);
}

// ----

async function main() {
  const browser = await chromium.launch({ executablePath: wanted.chromium, headless: true, args: FLAGS });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(DEADLINE);
    const log = watch(page);
    await page.goto(wanted.page);
    await (wanted.mode === 'native' ? native : hlsJs)(page).catch(error => {
      if (!(error instanceof Stop)) throw error;
    });
    const errors = await page.evaluate(() => seen.errors);
    const bad = errors.filter(error => error.fatal || !HARMLESS.includes(error.details));
    check('hls.js reports no error', bad.length === 0, JSON.stringify(bad));
    check('nothing in the console', log.console.length === 0, log.console.join('\n'));
    check('no request fails', log.failed.length === 0, log.failed.join('\n'));
    check('no answer is an error', log.statuses.length === 0, log.statuses.join('\n'));
    check('no request leaves the relay', log.foreign.length === 0, log.foreign.join('\n'));
    check('the relay was asked', log.relayed > 0, log.relayed);
  } finally {
    await browser.close();
  }
}

main().catch(error => {
  check('the browser test runs to its end', false, String(error.stack));
  process.exitCode = 1;
});
