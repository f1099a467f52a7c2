// What a competent nginx user writes in njs for the same job, to measure the module against: links are
// checked, playlists are rewritten line by line as they stream by, every URI becomes an HMAC-SHA256
// signed link.

import crypto from 'crypto';

const PLAYLIST_TAG = /^#EXT-X-(MEDIA|I-FRAME-STREAM-INF):/;
const URI_ATTRIBUTE = /([:,]URI=")([^"]*)"/;

let base = null;        // one VM per request: these are the request's own
let exp = '';
let pending = '';
let playlists = false;

function sign(r, kind, exp, url) {
  return crypto.createHmac('sha256', r.variables.bench_secret).update(`${kind}\n${exp}\n${url}`)
    .digest('base64url').substring(0, 22);
}

function link(r, kind, url) {
  const query = url.indexOf('?');
  const path = query < 0 ? url : url.substring(0, query);
  const name = path.substring(path.lastIndexOf('/') + 1);
  const u = Buffer.from(url).toString('base64url');
  return `/njs/${kind}/${name}?u=${u}&exp=${exp}&sig=${sign(r, kind, exp, url)}`;
}

function resolve(ref) {
  if (ref.startsWith('http://') || ref.startsWith('https://')) return ref;
  if (ref[0] === '/') return base.origin + ref;
  return base.directory + ref;
}

// js_set: the upstream URL of the request's link; an empty one makes proxy_pass fail.
function open(r) {
  const kind = r.uri.split('/')[2];
  const url = Buffer.from(r.args.u || '', 'base64url').toString();
  exp = r.args.exp || '';
  if (sign(r, kind, exp, url) !== r.args.sig || Number(exp) * 1000 < Date.now()) return '';
  base = {
    origin: url.match(/^https?:\/\/[^\/]*/)[0],
    directory: url.match(/^[^?]*\//)[0],
  };
  return url;
}

function header(r) {
  delete r.headersOut['Content-Length'];
}

function rewrite_line(r, line) {
  if (line === '') return line;
  if (line[0] !== '#') return link(r, playlists ? 'playlist' : 'media', resolve(line));
  if (line.startsWith('#EXT-X-STREAM-INF')) playlists = true;
  if (line.indexOf('URI="') < 0) return line;
  return line.replace(URI_ATTRIBUTE, (all, before, uri) => {
    const kind = PLAYLIST_TAG.test(line) ? 'playlist' : 'media';
    return `${before}${link(r, kind, resolve(uri))}"`;
  });
}

// js_body_filter: whole lines of what is there, the rest waits for the next buffer.
function body(r, data, flags) {
  const lines = (pending + data).split('\n');
  pending = flags.last ? '' : lines.pop();
  const tail = flags.last ? '' : '\n';
  const out = lines.map(line => rewrite_line(r, line)).join('\n');
  r.sendBuffer(lines.length ? out + tail : '', flags);
}

export default { open, header, body };
