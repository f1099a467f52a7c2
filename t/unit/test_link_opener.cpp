#include "link.h"

#include <algorithm>
#include <map>
#include <set>

#include "link_fixture.h"

using namespace std::string_literals;
using namespace fixture;
using hls::Link;
using hls::LinkState;
using hls::Position;
using hls::UriKind;

namespace {

const char *const kStates[] = {"ok", "malformed", "bad signature", "expired"};
const char *state_name(LinkState state) { return kStates[static_cast<int>(state)]; }

void expect(const std::string &what, const Relay &relay, const Request &request, LinkState wanted,
            std::uint64_t now = kNow) {
  Link link;
  LinkState state = open(relay, request, link, now);
  tap::equal(what, state_name(state), state_name(wanted));
  tap::check((link.key != nullptr) == (state == LinkState::ok || state == LinkState::expired),
             what + ": a key only where the signature is right");
}

/// Every argument that a link can have: "u", "v", "at", "end", "exp", "sig".
Request playlist_request(Relay &relay) {
  relay.scope.end = kNow + 1'000'000;
  const Position at = {0xABCDEF, 77, 3};
  return request_of(fresh_link(relay.scope, url_of("https://up.example/live/index.m3u8?tok=A%2FB"),
                               UriKind::playlist, &at, "AQFhAWI"));
}

Request media_request(const Relay &relay) {
  return request_of(fresh_link(relay.scope, url_of("https://up.example/live/a.ts"), UriKind::segment));
}

std::vector<std::string> split(const std::string &args) {
  std::vector<std::string> all;
  for (std::size_t from = 0, end; from <= args.size(); from = end + 1) {
    end = std::min(args.find('&', from), args.size());
    all.push_back(args.substr(from, end - from));
  }
  return all;
}

std::string join(const std::vector<std::string> &args) {
  std::string text;
  for (const std::string &arg : args) text += (text.empty() ? "" : "&") + arg;
  return text;
}

/// `args` with the value of one argument replaced; "" for `value` and no such argument: put behind.
std::string with(const std::string &args, const std::string &name, const std::string &value) {
  std::vector<std::string> all = split(args);
  bool found = false;
  for (std::string &arg : all) {
    if (arg.substr(0, name.size() + 1) != name + '=') continue;
    arg = name + '=' + value;
    found = true;
  }
  if (!found) all.push_back(name + '=' + value);
  return join(all);
}

std::string without(const std::string &args, const std::string &name) {
  std::vector<std::string> all = split(args);
  auto is_it = [&](const std::string &arg) { return arg.substr(0, name.size() + 1) == name + '='; };
  all.erase(std::remove_if(all.begin(), all.end(), is_it), all.end());
  return join(all);
}

std::string value_of(const std::string &args, const std::string &name) {
  for (const std::string &arg : split(args)) {
    if (arg.substr(0, name.size() + 1) == name + '=') return arg.substr(name.size() + 1);
  }
  return "";
}

void check_round_trips() {
  for (const SpeltUrl &c : spelt_urls()) {
    const hls::Url url = url_of(c.text);
    const std::string what = tap::quoted(c.text.substr(0, 80));
    for (UriKind kind : {UriKind::playlist, UriKind::segment, UriKind::fragment, UriKind::init, UriKind::key,
                         UriKind::json, UriKind::image, UriKind::automatic}) {
      Relay relay;
      relay.scope.bind = "[2001:db8::7]";
      Link link;
      const Position at = {0x010203, UINT64_MAX, INT32_MAX};
      Request request = request_of(fresh_link(relay.scope, url, kind));
      tap::check(open(relay, request, link) == LinkState::ok, what);
      tap::equal(what, link.url.text(), c.text);
      tap::equal("authority", link.url.authority(), c.authority);
      tap::equal("directory", link.url.directory(), c.directory);
      tap::equal("name", link.url.name(), c.name);
      tap::equal("query", link.url.query(), c.query.value_or(""));
      tap::check(link.url.has_query() == c.query.has_value() && link.url.https() == c.https, "scheme, query");
      tap::check(!link.at && link.end == 0 && link.variables.empty() && link.foreign.empty(),
                 "no more than that");

      relay.scope.end = kNow + 1;
      request = request_of(fresh_link(relay.scope, url, kind, &at, "AQFhAWI", true), relay.scope.public_base);
      tap::check(open(relay, request, link) == LinkState::ok && link.url.text() == c.text,
                 what + ", absolute");
      tap::check(link.at && *link.at == at && link.end == kNow + 1, "position and end");
      tap::equal("variables", link.variables, link.kind == hls::LinkKind::playlist ? "AQFhAWI" : "");
    }
  }
}

void check_fields() {
  Relay relay;
  Link link;
  tap::check(open(relay, playlist_request(relay), link) == LinkState::ok, "opens");
  tap::check(link.kind == hls::LinkKind::playlist && link.key == &relay.keys[0], "kind and key");
  tap::equal("stream", link.stream_text, kStream);
  tap::equal("source", link.stream.source, "anime");
  tap::check(link.stream.values == decltype(link.stream.values){"show", std::nullopt, ""}, "values");
  tap::equal("all else", meaning(link),
             "playlist AQVhbmltZQVzaG93AAE https://up.example/live/index.m3u8?tok=A%2FB v=AQFhAWI"
             " at=11259375.77.3 exp=1000604800 end=1001000000");
}

// What the oracle puts together opens: the opener does not lean on the writer's reading of the layout.
void check_against_oracle() {
  Relay relay;
  relay.scope.bind = "b";
  for (const SpeltUrl &c : spelt_urls()) {
    oracle::Parts parts = parts_of(c, relay.scope);
    parts.at = {0, 0, 0};
    Link link;
    LinkState state = open(relay, request_of(oracle::link("/hls", kSecret, parts)), link);
    tap::check(state == LinkState::ok && link.url.text() == c.text, tap::quoted(c.text.substr(0, 80)));
  }
  // A right signature does not make a URL of what is none.
  oracle::Parts good = parts_of(spelt_urls()[0], relay.scope);
  auto refused = [&](const char *what, auto &&change) {
    oracle::Parts p = good;
    change(p);
    expect(what, relay, request_of(oracle::link("/hls", kSecret, p)), LinkState::malformed);
  };
  refused("no host", [](oracle::Parts &p) { p.authority = ""; });
  refused("upper-case host", [](oracle::Parts &p) { p.authority = "UP.example"; });
  refused("slash in the authority", [](oracle::Parts &p) { p.authority = "h/x"; });
  refused("no slash", [](oracle::Parts &p) { p.directory = ""; });
  refused("dot segments", [](oracle::Parts &p) { p.directory = "/a/../"; });
  refused("line feed in the query", [](oracle::Parts &p) { p.query = "a\nb"; });
  refused("space in the directory", [](oracle::Parts &p) { p.directory = "/a b/"; });
  refused("NUL in the name", [](oracle::Parts &p) { p.true_name = "a\0b"s; });
  refused("slash in the name", [](oracle::Parts &p) { p.true_name = "a/b"; });
  refused("a name that is a directory", [](oracle::Parts &p) { p.true_name = ".."; });
  refused("stream without source", [](oracle::Parts &p) { p.stream = "AQA"; });
  refused("hidden file", [](oracle::Parts &p) { p.name = ".a.ts"; });
  refused("unsafe name in the path", [](oracle::Parts &p) { p.name = "a+b.ts"; });
}

// Each byte changed to each other one, or left out: nothing opens. Doubled: nothing but a '&', which says
// nothing.
void check_changed_bytes() {
  Relay relay;
  for (const Request &request : {playlist_request(relay), media_request(relay)}) {
    const std::string whole = request.path + '?' + request.args;
    unsigned tried = 0, doubled = 0;
    auto opens = [&](const std::string &text) {
      Link link;
      tried++;
      return open(relay, request_of(text, ""), link) == LinkState::ok;
    };
    for (std::size_t i = 0; i < whole.size(); i++) {
      for (int c = 0; c < 256; c++) {
        const std::string text = std::string(whole).replace(i, 1, 1, static_cast<char>(c));
        if (text != whole && opens(text)) tap::check(false, "opened: " + tap::quoted(text));
      }
      const std::string left = std::string(whole).erase(i, 1);
      if (opens(left)) tap::check(false, "opened: " + tap::quoted(left));
      if (!opens(std::string(whole).insert(i, 1, whole[i]))) continue;
      tap::check(whole[i] == '&', "doubled: " + whole.substr(i));
      doubled++;
    }
    tap::check(tried > 250 * whole.size(), "changes were tried");
    tap::equal("doubled and opened", doubled, static_cast<long long>(split(request.args).size()) - 1);
  }
}

void check_truncations() {
  Relay relay;
  for (const Request &request : {playlist_request(relay), media_request(relay)}) {
    for (std::size_t n = 0; n < request.args.size(); n++) {
      Link link;
      tap::check(open(relay, {request.path, request.args.substr(0, n)}, link) != LinkState::ok,
                 "args cut off");
      tap::check(open(relay, {request.path, request.args.substr(n + 1)}, link) != LinkState::ok,
                 "args beheaded");
    }
    for (std::size_t n = 0; n < request.path.size(); n++) {
      Link link;
      tap::check(open(relay, {request.path.substr(0, n), request.args}, link) != LinkState::ok,
                 "path cut off");
    }
  }
}

void check_reordered() {
  Relay relay;
  const Request request = playlist_request(relay);
  Link link;
  open(relay, request, link);
  const std::string wanted = meaning(link);
  std::vector<std::string> args = split(request.args);
  tap::equal("arguments", static_cast<long long>(args.size()), 6);
  std::sort(args.begin(), args.end());
  unsigned orders = 0, wrong = 0;
  do {
    orders++;
    wrong += open(relay, {request.path, join(args)}, link) != LinkState::ok || meaning(link) != wanted;
  } while (std::next_permutation(args.begin(), args.end()));
  tap::equal("orders", orders, 720);
  tap::equal("orders that open to something else", wrong, 0);
}

void check_reencoded() {
  Relay relay;
  const Request request = playlist_request(relay);
  Link link;
  open(relay, request, link);
  const std::string wanted = meaning(link);
  for (const char *digits : {"0123456789ABCDEF", "0123456789abcdef"}) {
    std::string all;
    for (const std::string &arg : split(request.args)) {
      std::string value, encoded;
      value = arg.substr(arg.find('=') + 1);
      for (unsigned char c : value) ((encoded += '%') += digits[c >> 4]) += digits[c & 15];
      const std::string name = arg.substr(0, arg.find('='));
      tap::check(open(relay, {request.path, with(request.args, name, encoded)}, link) == LinkState::ok &&
                     meaning(link) == wanted,
                 "re-encoded: " + name);
      all += (all.empty() ? "" : "&") + name + '=' + encoded;
    }
    tap::check(open(relay, {request.path, all}, link) == LinkState::ok && meaning(link) == wanted,
               "all of them");
  }
  const std::string u = value_of(request.args, "u");
  for (const std::string &bad : {u + "%", u + "%4", u + "%00", "%25" + u, "+" + u, u + "%2B",
                                 u + "%26v=AQ"}) {
    expect("not an encoding: " + bad, relay, {request.path, with(request.args, "u", bad)},
           LinkState::malformed);
  }
}

void check_duplicates() {
  Relay relay;
  const Request request = playlist_request(relay);
  for (const std::string &arg : split(request.args)) {
    const std::string name = arg.substr(0, arg.find('='));
    for (const std::string &copy : {arg, name + "=", name, name + "=1", name + "=%41"}) {
      expect("twice: " + copy, relay, {request.path, request.args + '&' + copy}, LinkState::malformed);
      expect("twice, first: " + copy, relay, {request.path, copy + '&' + request.args}, LinkState::malformed);
    }
  }
}

void check_missing_and_extra() {
  Relay relay;
  const Request all = playlist_request(relay);
  const std::map<std::string, LinkState> missing = {
      {"u", LinkState::malformed},       {"exp", LinkState::malformed},     {"sig", LinkState::bad_signature},
      {"v", LinkState::bad_signature},   {"at", LinkState::bad_signature},  {"end",
                                                                             LinkState::bad_signature}};
  for (const auto &[name, wanted] : missing) {
    expect("without " + name, relay, {all.path, without(all.args, name)}, wanted);
  }
  for (const char *name : {"u", "v", "at", "end", "exp"}) {
    expect("empty "s + name, relay, {all.path, with(all.args, name, "")}, LinkState::malformed);
  }
  expect("empty sig", relay, {all.path, with(all.args, "sig", "")}, LinkState::bad_signature);
  expect("no arguments", relay, {all.path, ""}, LinkState::malformed);
  expect("no path", relay, {"", all.args}, LinkState::malformed);

  relay.scope.end = 0;
  const Request media = media_request(relay);
  expect("v on media", relay, {media.path, media.args + "&v=AQ"}, LinkState::malformed);
  expect("at added", relay, {media.path, media.args + "&at=AAAA.1"}, LinkState::bad_signature);
  expect("end added", relay, {media.path, media.args + "&end=2000000000"}, LinkState::bad_signature);
  Request playlist = request_of(fresh_link(relay.scope, url_of("http://h/a.m3u8"), UriKind::playlist));
  expect("v added", relay, {playlist.path, playlist.args + "&v=AQ"}, LinkState::bad_signature);
  expect("others' arguments", relay, {media.path, "&a=b&&" + media.args + "&U=1&sigs=1&x&=&"}, LinkState::ok);
}

// base64url has one text per record: with other unused bits, padding or the other alphabet it is refused.
void check_canonical() {
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  Relay relay;
  for (const char *query : {"", "?", "?a", "?ab"}) {
    const Request request =
        request_of(fresh_link(relay.scope, url_of("http://h/a.ts"s + query), UriKind::segment));
    const std::string u = value_of(request.args, "u");
    for (char last : alphabet) {
      if (last == u.back()) continue;
      Link link;
      const std::string other = u.substr(0, u.size() - 1) + last;
      tap::check(open(relay, {request.path, with(request.args, "u", other)}, link) != LinkState::ok,
                 "another last character of u");
    }
    for (const char *behind : {"=", "==", "%3D", "A", " ", "%20", "%0A"}) {
      Link link;
      tap::check(open(relay, {request.path, with(request.args, "u", u + behind)}, link) != LinkState::ok,
                 "u and more: "s + behind);
    }
    const std::string sig = value_of(request.args, "sig");
    for (char last : alphabet) {   // 16 bytes: the last four bits are unused
      if (last == sig.back()) continue;
      expect("another last character of sig", relay,
             {request.path, with(request.args, "sig", sig.substr(0, sig.size() - 1) + last)},
             LinkState::bad_signature);
    }
    for (const std::string &other : {sig + "=", sig + "A", sig + "%00", sig.substr(0, 23), sig.substr(0, 2),
                                     ""s, " " + sig, sig + sig}) {
      expect("sig " + other, relay, {request.path, with(request.args, "sig", other)},
             LinkState::bad_signature);
    }
  }
  const Request request = media_request(relay);
  const std::string wanted = kStream;   // 14 bytes: the last two bits of 19 characters are unused
  for (const std::string &stream : {"AQVhbmltZQVzaG93AAF"s, "AQVhbmltZQVzaG93AAG"s, wanted + "=",
                                    wanted + "=="}) {
    Request other = request;
    other.path.replace(other.path.find(wanted), wanted.size(), stream);
    expect("stream " + stream, relay, other, LinkState::malformed);
  }
}

void check_numbers() {
  Relay relay;
  const Request media = media_request(relay);
  for (const char *number : {"0x10", "01000043200", "+1000043200", "-1", "1000043200a", "1e9", "1000043200.0",
                             "10000000000000000", "99999999999999999999999", "18446744074709594816", "one",
                             "1000043200%00", "%201000043200", "1000043200%26"}) {
    expect("exp "s + number, relay, {media.path, with(media.args, "exp", number)}, LinkState::malformed);
    expect("end "s + number, relay, {media.path, with(media.args, "end", number)}, LinkState::malformed);
  }
  expect("end 0", relay, {media.path, with(media.args, "end", "0")}, LinkState::malformed);
  expect("exp 0", relay, {media.path, with(media.args, "exp", "0")}, LinkState::bad_signature);
  expect("exp of 16 digits", relay, {media.path, with(media.args, "exp", "9999999999999999")},
         LinkState::bad_signature);
  for (const char *at : {"AAAA", "AAAA.", "AAA.1", "AAAAA.1", ".1", "AAAA.01", "AAAA.-1", "AAAA.+1",
                         "AAAA.1.", "AAAA.1.01", "AAAA.1.-1", "AAAA.1.2.3", "AAAA.1.2147483648",
                         "AAAA.18446744073709551616", "AAAA.99999999999999999999999999", "AA=A.1", "AAAA,1",
                         "AAAA.a", "AAAA.1a", "AAAA.1.a", "AAAA..1", "AAAA%00.1", "AA"}) {
    expect("at "s + at, relay, {media.path, with(media.args, "at", at)}, LinkState::malformed);
  }
  expect("a sound at, not signed", relay,
         {media.path, with(media.args, "at", "AAAA.18446744073709551615.2147483647")},
         LinkState::bad_signature);
}

void check_size() {
  Relay relay;
  const Request media = media_request(relay);
  const std::string big(100'000, 'A');
  expect("100 KB of u", relay, {media.path, with(media.args, "u", big)}, LinkState::malformed);
  expect("100 KB of sig", relay, {media.path, with(media.args, "sig", big)}, LinkState::malformed);
  expect("100 KB of others", relay, {media.path, media.args + "&x=" + big}, LinkState::malformed);
  expect("100 KB of separators", relay, {media.path, media.args + std::string(100'000, '&')},
         LinkState::malformed);
  expect("100 KB of name", relay, {media.path + big, media.args}, LinkState::malformed);
  expect("100 KB of stream", relay, {"/media/" + big + "/a.ts", media.args}, LinkState::malformed);
  expect("100 KB of path", relay, {"/" + big, media.args}, LinkState::malformed);

  const std::size_t left = 65'535 - media.args.size();
  expect("65535 bytes", relay, {media.path, media.args + "&" + std::string(left - 1, 'x')}, LinkState::ok);
  expect("65536 bytes", relay, {media.path, media.args + "&" + std::string(left, 'x')}, LinkState::malformed);
  std::string many = media.args;   // three of them are the link's
  for (int i = 0; i < 61; i++) many += "&x=";
  expect("64 arguments", relay, {media.path, many}, LinkState::ok);
  expect("65 arguments", relay, {media.path, many + "&x="}, LinkState::malformed);

  // The longest link, every byte of its arguments percent-encoded.
  const Request longest = request_of(fresh_link(relay.scope, url_of("https://h/" + std::string(6134, 'x')),
                                                UriKind::playlist, nullptr, std::string(2048, 'A')));
  std::string encoded;
  for (const std::string &arg : split(longest.args)) {
    encoded += (encoded.empty() ? "" : "&") + arg.substr(0, arg.find('=') + 1);
    for (unsigned char c : arg.substr(arg.find('=') + 1)) {
      ((encoded += '%') += "0123456789ABCDEF"[c >> 4]) += "0123456789ABCDEF"[c & 15];
    }
  }
  expect("the longest link, re-encoded", relay, {longest.path, encoded}, LinkState::ok);
}

void check_paths() {
  Relay relay;
  const Request media = media_request(relay);
  const std::string stream = kStream;
  for (const std::string &path :
       {"/media/" + stream, "/media/" + stream + "/", "/media//a.ts"s, "media/" + stream + "/a.ts",
        "/media/" + stream + "/x/a.ts", "/media/" + stream + "/a.ts/", "/Media/" + stream + "/a.ts",
        "/mediax/" + stream + "/a.ts", "//media/" + stream + "/a.ts", "/media/./" + stream + "/a.ts",
        "/media/" + stream + "/..", "/media/" + stream + "/.a.ts", "/media/" + stream + "/a.ts\0"s,
        "/media/" + stream + "/a%2Ets", "/"s, ""s, "/media"s, "/media/"s, "/playlist/"s}) {
    expect("path " + tap::quoted(path), relay, {path, media.args}, LinkState::malformed);
  }
  for (const std::string &path : {"/playlist/" + stream + "/a.ts", "/media/" + stream + "/b.ts",
                                  "/media/" + stream + "/A.ts", "/media/AQVhbmltZQVzaG93AAA/a.ts"s,
                                  "/media/AQFh/a.ts"s}) {
    expect("another link's path " + path, relay, {path, media.args}, LinkState::bad_signature);
  }
}

void check_expiry() {
  Relay relay;
  const Request media = media_request(relay);
  const std::uint64_t exp = relay.scope.media_exp;
  expect("a second before", relay, media, LinkState::ok, exp - 1);
  expect("at exp", relay, media, LinkState::expired, exp);
  expect("after exp", relay, media, LinkState::expired, exp + 1);
  expect("at the end of time", relay, media, LinkState::expired, UINT64_MAX);
  expect("long before", relay, media, LinkState::ok, 0);
  expect("changed and expired", relay, {media.path, with(media.args, "exp", "999999999")},
         LinkState::bad_signature);

  relay.scope.end = kNow + 10;
  const Request capped = media_request(relay);
  expect("a second before end", relay, capped, LinkState::ok, kNow + 9);
  expect("at end", relay, capped, LinkState::expired, kNow + 10);
  expect("after end", relay, capped, LinkState::expired, kNow + 11);
  relay.scope.end = exp + 10;
  const Request later = media_request(relay);
  expect("end does not prolong", relay, later, LinkState::expired, exp);
  expect("before both", relay, later, LinkState::ok, exp - 1);
}

void check_secrets() {
  const std::vector<std::string> secrets = {"the first of them", "the second of them", "the third of them"};
  Relay relay(secrets);
  for (std::size_t i = 0; i < secrets.size(); i++) {
    relay.scope.key = &relay.keys[i];
    const Request request = media_request(relay);
    Link link;
    tap::check(open(relay, request, link) == LinkState::ok && link.key == &relay.keys[i],
               "opens with its key");
    for (std::size_t other = 0; other < secrets.size(); other++) {
      Relay single({secrets[other]});
      expect("with one key", single, request, other == i ? LinkState::ok : LinkState::bad_signature);
      std::string sig = value_of(request.args, "sig");
      sig.replace(0, 2, oracle::key_id(secrets[other]));
      expect("with the id of another", relay, {request.path, with(request.args, "sig", sig)},
             other == i ? LinkState::ok : LinkState::bad_signature);
    }
  }
  // Two secrets whose ids are equal: both verify.
  std::map<std::string, std::string> by_id;
  for (int n = 0; n < 4097; n++) {
    const std::string secret = "a secret, number " + std::to_string(n);
    auto [found, added] = by_id.emplace(oracle::key_id(secret), secret);
    if (added) continue;
    Relay both({found->second, secret});
    for (const hls::LinkKey &key : both.keys) {
      both.scope.key = &key;
      Link link;
      tap::check(open(both, media_request(both), link) == LinkState::ok && link.key == &key,
                 "one id, two keys");
    }
    return;
  }
}

void check_bind() {
  Relay relay;
  const Request unbound = media_request(relay);
  relay.scope.bind = "203.0.113.7";
  const Request bound = media_request(relay);
  expect("by the same client", relay, bound, LinkState::ok);
  expect("not bound", relay, unbound, LinkState::bad_signature);
  for (const char *bind : {"203.0.113.8", "203.0.113.70", "203.0.113.", ""}) {
    relay.scope.bind = bind;
    expect("by "s + bind, relay, bound, LinkState::bad_signature);
  }
}

struct ForeignCase {
  const char *added, *directives, *foreign;
};

void expect_foreign(const Relay &relay, const Request &request, const ForeignCase &c) {
  Link link;
  tap::check(open(relay, {request.path, request.args + c.added}, link) == LinkState::ok, c.added);
  tap::equal("directives of "s + c.added, link.directives, c.directives);
  tap::equal("foreign of "s + c.added, link.foreign, c.foreign);
}

void check_foreign() {
  Relay relay;
  const Request playlist = request_of(fresh_link(relay.scope, url_of("http://h/a.m3u8"), UriKind::playlist));
  const ForeignCase on_playlists[] = {
      {"", "", ""},
      {"&_HLS_msn=7", "_HLS_msn=7", "_HLS_msn=7"},
      {"&_HLS_skip=YES&_HLS_part=2&_HLS_msn=7", "_HLS_msn=7&_HLS_part=2&_HLS_skip=YES",
       "_HLS_msn=7&_HLS_part=2&_HLS_skip=YES"},
      {"&_HLS_msn=1&_HLS_part=0&_HLS_msn=2&_HLS_msn=3", "_HLS_msn=3&_HLS_part=0", "_HLS_msn=3&_HLS_part=0"},
      {"&_HLS_x&_HLS_y=&_HLS_z==", "_HLS_x&_HLS_y=&_HLS_z==", "_HLS_x&_HLS_y=&_HLS_z=="},
      {"&_HLS_=1", "_HLS_=1", "_HLS_=1"},
      {"&_HLS_msn=7&CMCD=bl%3D1%2Csid%3D%22a%22", "_HLS_msn=7", "CMCD=bl%3D1%2Csid%3D%22a%22&_HLS_msn=7"},
      {"&CMCD=1&CMCD=2", "", "CMCD=2"},
      {"&_HLS=1&_hls_msn=1&HLS_msn=1&x_HLS_msn=1&CMCDx=1&cmcd=1&token=x&%5FHLS_msn=2", "", ""},
      {"&_HLS_x=%0d%0A%00", "_HLS_x=%0d%0A%00", "_HLS_x=%0d%0A%00"},
      {"&_HLS_x=a b\"<>#\\^`{|}\r\n\x7F\xC3\xA9",
       "_HLS_x=a%20b%22%3C%3E%23%5C%5E%60%7B%7C%7D%0D%0A%7F%C3%A9",
       "_HLS_x=a%20b%22%3C%3E%23%5C%5E%60%7B%7C%7D%0D%0A%7F%C3%A9"},
      {"&_HLS_x=a?/:@!$'()*+,;[]~", "_HLS_x=a?/:@!$'()*+,;[]~", "_HLS_x=a?/:@!$'()*+,;[]~"},
  };
  for (const ForeignCase &c : on_playlists) expect_foreign(relay, playlist, c);
  const Request media = media_request(relay);
  expect_foreign(relay, media, {"&_HLS_msn=7&CMCD=2&_HLS_part=1", "", "CMCD=2"});
  expect_foreign(relay, media, {"&x=1&CMCD=%22", "", "CMCD=%22"});
  Link link;   // sorted by the client, among the link's own
  open(relay, {playlist.path, "CMCD=1&_HLS_msn=1&" + playlist.args}, link);
  tap::equal("before the link's own", link.foreign, "CMCD=1&_HLS_msn=1");

  const std::string longest = "&_HLS_x=" + std::string(4096 - 7, 'y');
  expect("4096 bytes of them", relay, {playlist.path, playlist.args + longest}, LinkState::ok);
  expect("4097", relay, {playlist.path, playlist.args + longest + "y"}, LinkState::malformed);
  expect("4097 in two", relay, {playlist.path, playlist.args + longest.substr(0, 4090) + "&CMCD=123"},
         LinkState::malformed);
  expect("of which copies count", relay, {playlist.path, playlist.args + longest + "&_HLS_x=1"},
         LinkState::malformed);
}

void check_query_with() {
  struct {
    const char *query, *foreign, *wanted;
  } const cases[] = {
      {"", "", ""},
      {"", "_HLS_msn=1", "_HLS_msn=1"},
      {"a=1", "", "a=1"},
      {"&a=1&&b==2&", "", "&a=1&&b==2&"},
      {"tok=A+B%2F&x", "_HLS_msn=1&_HLS_part=2", "tok=A+B%2F&x&_HLS_msn=1&_HLS_part=2"},
      {"&a=1&&b==2", "CMCD=3", "&a=1&&b==2&CMCD=3"},
      {"_HLS_msn=0&a=1&_HLS_part=0&_HLS_msn=5", "_HLS_msn=1", "a=1&_HLS_part=0&_HLS_msn=1"},
      {"_HLS_msn", "_HLS_msn=1", "_HLS_msn=1"},
      {"_HLS_msn=0&_HLS_msn=1", "_HLS_msn=2&_HLS_skip=YES", "_HLS_msn=2&_HLS_skip=YES"},
      {"x_HLS_msn=0&_HLS_msnx=1", "_HLS_msn=2", "x_HLS_msn=0&_HLS_msnx=1&_HLS_msn=2"},
      {"a=_HLS_msn=0", "_HLS_msn=2", "a=_HLS_msn=0&_HLS_msn=2"},
      {"CMCD=1&CMCD=2&CMCD", "CMCD", "CMCD"},
      {"a", "CMCD=", "a&CMCD="},
  };
  for (const auto &c : cases) {
    tap::equal(c.query + " with "s + c.foreign, hls::query_with(c.query, c.foreign), c.wanted);
  }
}

#define TEST(name) void test_##name(void **) { check_##name(); TAP_FINISH(); }
TEST(round_trips)
TEST(fields)
TEST(against_oracle)
TEST(changed_bytes)
TEST(truncations)
TEST(reordered)
TEST(reencoded)
TEST(duplicates)
TEST(missing_and_extra)
TEST(canonical)
TEST(numbers)
TEST(size)
TEST(paths)
TEST(expiry)
TEST(secrets)
TEST(bind)
TEST(foreign)
TEST(query_with)

}  // namespace

TAP_MAIN(cmocka_unit_test(test_round_trips), cmocka_unit_test(test_fields),
         cmocka_unit_test(test_against_oracle), cmocka_unit_test(test_changed_bytes),
         cmocka_unit_test(test_truncations), cmocka_unit_test(test_reordered),
         cmocka_unit_test(test_reencoded), cmocka_unit_test(test_duplicates),
         cmocka_unit_test(test_missing_and_extra), cmocka_unit_test(test_canonical),
         cmocka_unit_test(test_numbers), cmocka_unit_test(test_size), cmocka_unit_test(test_paths),
         cmocka_unit_test(test_expiry), cmocka_unit_test(test_secrets), cmocka_unit_test(test_bind),
         cmocka_unit_test(test_foreign), cmocka_unit_test(test_query_with))
