#include "link.h"

#include <random>
#include <set>

#include "host_patterns.h"
#include "link_fixture.h"

using namespace std::string_literals;
using namespace fixture;
using hls::LinkWriter;
using hls::Position;
using hls::Url;
using hls::UriKind;

namespace {

constexpr UriKind kKinds[] = {UriKind::playlist, UriKind::segment, UriKind::fragment, UriKind::init,
                              UriKind::key, UriKind::json, UriKind::image, UriKind::automatic};

void check_against_oracle() {
  for (const SpeltUrl &c : spelt_urls()) {
    const Url url = url_of(c.text);
    const std::string what = tap::quoted(c.text.substr(0, 80));
    for (const bool rich : {false, true}) {
      Relay relay;
      if (rich) relay.scope.end = 2'000'000'000, relay.scope.bind = "203.0.113.7";
      oracle::Parts parts = parts_of(c, relay.scope);
      tap::equal(what, fresh_link(relay.scope, url, c.kind), oracle::link("/hls", kSecret, parts));

      parts.at = {0xABCDEF, UINT64_MAX, rich ? INT32_MAX : -1};
      const Position at = {0xABCDEF, UINT64_MAX, parts.at->part};
      if (!parts.media) parts.variables = "AQFhAWI";   // is dropped for media
      tap::equal(what + ", all arguments", fresh_link(relay.scope, url, c.kind, &at, "AQFhAWI", true),
                 oracle::link("https://proxy.example/hls", kSecret, parts));
    }
  }
}

void check_positions() {
  Relay relay;
  const SpeltUrl &c = spelt_urls()[0];
  for (const std::uint32_t parent : {0u, 1u, 0xFFu, 0x800000u, 0xFFFFFFu}) {
    for (const std::uint64_t sequence : {std::uint64_t(0), std::uint64_t(9), std::uint64_t(10), UINT64_MAX}) {
      for (const std::int32_t part : {-1, 0, 1, 10, INT32_MAX}) {
        const Position at = {parent, sequence, part};
        oracle::Parts parts = parts_of(c, relay.scope);
        parts.at = {parent, sequence, part};
        const std::string link = fresh_link(relay.scope, url_of(c.text), c.kind, &at);
        tap::equal("a position", link, oracle::link("/hls", kSecret, parts));
        hls::Link opened;
        const hls::LinkState state = open(relay, request_of(link), opened);
        tap::check(state == hls::LinkState::ok && opened.at && *opened.at == at, "opens to it: " + link);
      }
    }
  }
}

// Python 3. MAC and keys as in test_link_mac.cpp and test_link_keys.cpp; the u, with b64 for
// base64.urlsafe_b64encode without padding:
//   record = b"\x10" + bytes([26]) + b"user:pw@[2001:db8::1]:8080" + bytes([10]) + b"/a//b%2Fc/"
//   record += bytes(-len(record) % 3)
//   record += b"\x03" + bytes([11]) + b"seg%201.jpg" + b"tok=A+B&x=/..//=="
//   b64(record), b64(bytes.fromhex("abcdef"))
void check_vectors() {
  Relay relay;
  tap::equal("few arguments",
             fresh_link(relay.scope, url_of("https://up.example/live/a.ts"), UriKind::segment),
             "/hls/media/AQVhbmltZQVzaG93AAE/a.ts?u=EQp1cC5leGFtcGxlBi9saXZlLwAA&exp=1000043200"
             "&sig=iRkdY0sK_bbnwehLKHNqAeLw");
  tap::equal("a playlist",
             fresh_link(relay.scope, url_of("https://cdn.example/?"), UriKind::playlist, nullptr, "AQFhAWI",
                        true),
             "https://proxy.example/hls/playlist/AQVhbmltZQVzaG93AAE/index.m3u8?u=EQtjZG4uZXhhbXBsZQEvAwA"
             "&v=AQFhAWI&exp=1000604800&sig=iRaRcH7Lfwz-J3z_6BYAmI2Q");
  relay.scope.end = 2'000'000'000;
  relay.scope.bind = "203.0.113.7";
  const Position at = {0xABCDEF, 12'345'678'901, 2};
  tap::equal("all arguments",
             fresh_link(relay.scope,
                        url_of("http://user:pw@[2001:db8::1]:8080/a//b%2Fc/seg%201.jpg?tok=A+B&x=/..//=="),
                        UriKind::segment, &at),
             "/hls/media/AQVhbmltZQVzaG93AAE/seg_201.jpg.ts?u=EBp1c2VyOnB3QFsyMDAxOmRiODo6MV06ODA4MAovYS8v"
             "YiUyRmMvAwtzZWclMjAxLmpwZ3Rvaz1BK0ImeD0vLi4vLz09&at=q83v.12345678901.2&end=2000000000"
             "&exp=1000043200&sig=iRLKQd2EBxg6PDTfW2yzM2mg");
}

// RFC 3986 2.3 and the delimiters of path and query: safe in a line, quoted and unquoted.
void check_bytes() {
  Relay relay;
  for (const SpeltUrl &c : spelt_urls()) {
    const std::string link = fresh_link(relay.scope, url_of(c.text), c.kind);
    const std::size_t odd = link.find_first_not_of(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/?&=");
    tap::check(odd == link.npos, "only safe bytes: " + tap::quoted(c.text.substr(0, 80)));
  }
}

void check_limits() {
  Relay relay;
  LinkWriter writer(relay.scope);
  auto written = [&](std::size_t size, std::size_t variables, const char *before, const char *behind) {
    const std::string beginning = "https://up.example/"s + before;
    const std::string filling(size - beginning.size() - std::strlen(behind), 'x');
    const Url url = url_of(beginning + filling + behind);
    tap::equal("as long as wanted", static_cast<long long>(url.text().size()), static_cast<long long>(size));
    Windows out;
    bool ok = writer.write(out, url, UriKind::playlist, nullptr, std::string(variables, 'A'), true);
    const std::string text = out.take();
    tap::check(ok != text.empty(), "nothing is written in vain");
    tap::check(ok || out.count() == 0, "no window is asked for in vain");
    tap::check(text.size() <= hls::Output::kMaxReserve, "the longest link fits a window");
    return ok;
  };
  for (const auto &[before, behind] : {std::pair<const char *, const char *>{"", ".m3u8"}, {"", "/"},
                                       {"d/?", ""}}) {
    tap::check(written(6144, 0, before, behind), "6144 bytes");
    tap::check(!written(6145, 0, before, behind), "6145 bytes");
    tap::check(!written(100'000, 0, before, behind), "100 KB");
    tap::check(written(6144, 2048, before, behind), "2048 characters of variables");
    tap::check(!written(100, 2049, before, behind), "2049 characters of variables");
  }
  relay.scope.stream.assign(20'000, 's');
  Windows out;
  tap::check(!LinkWriter(relay.scope).write(out, url_of("http://h/a.ts"), UriKind::segment, nullptr, {},
                                            false),
             "a stream beyond all bounds");
  tap::equal("nothing written", out.take(), "");
}

// Distinct URLs, close to one another: all delimiters, escapes and empty parts in a few bytes.
Url generated_url(std::mt19937 &random) {
  static const char *const kPieces[] = {"a", "b", "/", "//", "%2F", "%2f", ".", "..", ".ts", ".m3u8", "_",
                                        "~", "+", "%20", "=", "&", ";", "@", ":", "-", "A", "%", "?", "?",
                                        "/./", "[", "1"};
  static const char *const kOrigins[] = {"http://h", "https://h", "http://h:80", "http://h:8", "http://a@h",
                                         "http://h.", "https://[::1]", "http://hh"};
  std::string text = kOrigins[random() % std::size(kOrigins)] + "/"s;
  for (std::size_t n = random() % 7; n > 0; n--) text += kPieces[random() % std::size(kPieces)];
  Url url;
  if (!hls::parse_url(text, url)) tap::check(false, "a generated URL: " + text);
  return url;
}

void check_injective() {
  Relay relay;
  LinkWriter writer(relay.scope);
  std::mt19937 random(1);
  std::set<std::string> urls;
  std::set<std::pair<std::string, std::string>> said;   // place and URL: where links are to differ
  std::set<std::string> links;
  Windows out;
  while (urls.size() < 10'000) {
    const Url url = generated_url(random);
    urls.emplace(url.text());
    for (UriKind kind : {UriKind::segment, UriKind::playlist}) {
      writer.write(out, url, kind, nullptr, {}, false);
      const std::string link = out.take();
      links.insert(link);
      said.emplace(link.substr(0, 7), url.text());   // a line that names a playlist is one under both kinds
    }
  }
  tap::check(said.size() > 15'000, "media and playlists");
  tap::equal("distinct links", static_cast<long long>(links.size()), static_cast<long long>(said.size()));
}

// RFC 8216bis lets these name the same resource, and players compare: MAP and segments, fragments before and
// behind a MAP, preloads (automatic) and playlists, whatever host and query.
void check_same_resource() {
  Relay relay;
  struct {
    const char *url;
    std::vector<UriKind> kinds;
  } const cases[] = {
      {"https://up.example/a.mp4", {UriKind::segment, UriKind::fragment, UriKind::init}},
      {"https://up.example/a.ts?x", {UriKind::segment, UriKind::fragment, UriKind::init}},
      {"https://up.example/a%20b.m4s", {UriKind::segment, UriKind::fragment, UriKind::init}},
      {"https://up.example/get.php?id=1", {UriKind::fragment, UriKind::init}},
      {"https://up.example/", {UriKind::fragment, UriKind::init}},
      {"https://up.example/a.m3u8", {UriKind::playlist, UriKind::automatic, UriKind::segment}},
      {"https://up.example/ads?id=1", {UriKind::playlist, UriKind::automatic}},
      {"https://up.example/", {UriKind::playlist, UriKind::automatic}},
  };
  for (const auto &c : cases) {
    const std::string wanted = fresh_link(relay.scope, url_of(c.url), c.kinds[0]);
    for (UriKind kind : c.kinds) tap::equal(c.url, fresh_link(relay.scope, url_of(c.url), kind), wanted);
  }
  tap::equal("scheme and host in any case",
             fresh_link(relay.scope, url_of("HTTPS://UP.Example/A"), UriKind::key),
             fresh_link(relay.scope, url_of("https://up.example/A"), UriKind::key));
}

struct Call {
  Url url;
  UriKind kind;
  bool has_position;
  Position at;
  std::string variables;
  bool absolute;

  bool write(LinkWriter &writer, hls::Output &out) const {
    return writer.write(out, url, kind, has_position ? &at : nullptr, variables, absolute);
  }
};

// More directories than the writer remembers, in both kinds, hot and cold ones.
std::vector<Call> calls(unsigned count) {
  static const char *const kDirectories[] = {"http://h/",    "https://h/",   "http://h/a/", "http://h/a//",
                                             "http://h:8/a/", "http://i/a/", "http://h/b/", "http://u@h/a/"};
  std::mt19937 random(3);
  std::vector<Call> all;
  for (unsigned i = 0; i < count; i++) {
    Call c;
    c.url = url_of(kDirectories[random() % (i % 100 < 50 ? 3 : 8)] + "s"s + std::to_string(i) +
                   (random() % 2 ? ".ts" : ".ts?t=1"));
    c.kind = kKinds[random() % std::size(kKinds)];
    c.has_position = random() % 2;
    c.at = {static_cast<std::uint32_t>(random() & 0xFFFFFF), i, static_cast<std::int32_t>(random() % 3) - 1};
    c.variables = random() % 4 ? "" : "AQFhAWI";
    c.absolute = random() % 2;
    all.push_back(c);
  }
  return all;
}

void check_directories() {
  Relay relay;
  LinkWriter writer(relay.scope);
  Windows out;
  unsigned wrong = 0;
  for (const Call &c : calls(4000)) {
    LinkWriter fresh(relay.scope);
    Windows wanted;
    wrong += !c.write(writer, out) || !c.write(fresh, wanted) || out.take() != wanted.take();
  }
  tap::equal("links that a fresh writer writes otherwise", wrong, 0);
}

void check_windows() {
  Relay relay;
  const std::vector<Call> all = calls(300);
  LinkWriter writer(relay.scope);
  std::string wanted;
  for (const Call &c : all) {
    Windows out;
    c.write(writer, out);
    wanted += "\n" + out.take();
  }
  for (std::size_t size : {std::size_t(1), std::size_t(7), std::size_t(250), std::size_t(1000),
                           hls::Output::kMaxReserve, hls::Output::kMaxReserve + 1}) {
    Windows out(size);
    for (const Call &c : all) {
      out.append("\n");
      c.write(writer, out);
    }
    tap::equal("in windows of " + std::to_string(size), out.take(), wanted);
    tap::check(out.count() > 1, "several windows");
  }
}

// reserve() and append() at and over the end of a window.
void check_output() {
  Windows out(10);
  out.append("");
  tap::equal("nothing takes no window", out.count(), 0);
  out.append("0123456789");
  tap::equal("a full window is one", out.count(), 1);
  out.append("");
  tap::equal("still one", out.count(), 1);
  out.append("a");
  tap::equal("another", out.count(), 2);
  char *p = out.reserve(9);
  tap::equal("what is left is enough", out.count(), 2);
  std::memset(p, 'b', 9);
  out.advance_to(p + 5);
  p = out.reserve(5);
  tap::equal("not any more", out.count(), 3);
  std::memset(p, 'c', 5);
  out.advance_to(p);   // reserved, not used
  out.append(std::string(25, 'd'));
  p = out.reserve(100);
  std::memset(p, 'e', 100);
  out.advance_to(p + 100);
  tap::equal("all of it", out.take(),
             "0123456789abbbbb" + std::string(25, 'd') + std::string(100, 'e'));
}

void check_hosts() {
  hls::HostPatterns patterns;
  std::string reason;
  tap::check(patterns.add("*.cdn.example", reason) && patterns.add("up.example:8080", reason), "patterns");
  Relay relay;
  LinkWriter any(relay.scope);
  hls::LinkScope restricted = relay.scope;
  restricted.hosts = &patterns;
  LinkWriter some(restricted);
  struct {
    const char *url;
    bool allowed;
  } const cases[] = {
      {"http://a.cdn.example/a.ts", true},     {"http://cdn.example/a.ts", false},
      {"http://up.example:8080/a.ts", true},   {"http://up.example/a.ts", false},
      {"https://up.example:8080/b.ts", true},  {"http://a.cdn.example@evil.example/a.ts", false},
      {"http://127.0.0.1/a.ts", false},        {"http://evil.example:8080/a.ts", false},
      {"http://a.cdn.example/c.ts", true},     {"http://x@a.cdn.example:81/c.ts", true},
  };
  for (const auto &c : cases) {
    Windows all, out;
    any.write(all, url_of(c.url), UriKind::segment, nullptr, {}, false);
    some.write(out, url_of(c.url), UriKind::segment, nullptr, {}, false);
    const std::string signed_link = all.take();
    const std::string wanted = c.allowed ? signed_link : signed_link.substr(0, signed_link.find("&sig="));
    tap::equal(c.url, out.take(), wanted);
    hls::Link link;
    tap::check(open(relay, request_of(wanted), link) ==
                   (c.allowed ? hls::LinkState::ok : hls::LinkState::bad_signature),
               "opens, or not: "s + c.url);
  }
}

void check_dead() {
  Relay relay;
  LinkWriter writer(relay.scope);
  const std::string stream = kStream;
  struct {
    UriKind kind;
    std::string wanted;
  } const cases[] = {
      {UriKind::playlist, "/playlist/" + stream + "/unusable.m3u8"},
      {UriKind::segment, "/media/" + stream + "/unusable.ts"},
      {UriKind::fragment, "/media/" + stream + "/unusable.mp4"},
      {UriKind::init, "/media/" + stream + "/unusable.mp4"},
      {UriKind::key, "/media/" + stream + "/unusable.key"},
      {UriKind::json, "/media/" + stream + "/unusable.json"},
      {UriKind::image, "/media/" + stream + "/unusable.jpg"},
      {UriKind::automatic, "/playlist/" + stream + "/unusable.m3u8"},
  };
  for (const auto &c : cases) {
    Windows out(1);
    writer.write_dead(out, c.kind, false);
    tap::equal("dead", out.take(), "/hls" + c.wanted);
    writer.write_dead(out, c.kind, true);
    tap::equal("dead, absolute", out.take(), "https://proxy.example/hls" + c.wanted);
    hls::Link link;
    tap::check(open(relay, {c.wanted, ""}, link) == hls::LinkState::malformed,
               "opens to nothing: " + c.wanted);
  }
}

// Python 3: hashlib.sha256(b"/live/ch1/index.m3u8").hexdigest()[:6], and of b"/"
void check_position_parent() {
  auto parent = [](const char *url) { return static_cast<long long>(hls::position_parent(url_of(url))); };
  for (const char *url :
       {"https://up.example/live/ch1/index.m3u8", "http://up.example/live/ch1/index.m3u8",
        "https://other.example:8080/live/ch1/index.m3u8", "https://u:p@[::1]/live/ch1/index.m3u8",
        "https://up.example/live/ch1/index.m3u8?", "https://up.example/live/ch1/index.m3u8?tok=/a/b?c"}) {
    tap::equal(url, parent(url), 0x48DB46);
  }
  tap::equal("the root", parent("http://up.example"), 0x8A5EDA);
  tap::equal("the root with a query", parent("http://up.example/?/live/ch1/index.m3u8"), 0x8A5EDA);
  std::set<long long> all;
  for (const char *url : {"http://h/a/b", "http://h/a/c", "http://h/b", "http://h/a//b", "http://h/a/b/",
                          "http://h/A/b", "http://h/a%2Fb"}) {
    all.insert(parent(url));
  }
  tap::equal("another for another path", static_cast<long long>(all.size()), 7);
}

std::string stream_number(unsigned n) { return oracle::base64url("\x01\x01s\x05" + oracle::big_endian(n, 4));
                                       }

void check_expiry() {
  std::mt19937_64 random(4);
  unsigned near = 0, far = 0, wrong_window = 0, uneven = 0;
  for (int i = 0; i < 20'000; i++) {
    const std::uint64_t ttl = i % 3 ? 1 + random() % 1'000'000 : 1 + random() % 5;
    const std::uint64_t now = kNow + random() % 1'000'000'000;
    const std::string stream = stream_number(static_cast<unsigned>(random()));
    const std::uint64_t exp = hls::link_expiry(now, ttl, stream, 0);
    near += exp < now + ttl;
    far += exp >= now + 2 * ttl;
    // The window is the ttl seconds that have this exp: from exp - 2 ttl + 1 to exp - ttl.
    const std::uint64_t last = exp - ttl, first = last + 1 - ttl;
    wrong_window += hls::link_expiry(first, ttl, stream, 0) != exp || hls::link_expiry(last, ttl, stream,
                                                                                       0) != exp;
    wrong_window += hls::link_expiry(first + random() % ttl, ttl, stream, 0) != exp;
    uneven += hls::link_expiry(last + 1, ttl, stream, 0) != exp + ttl;
    uneven += hls::link_expiry(first - 1, ttl, stream, 0) != exp - ttl;
  }
  tap::equal("less than ttl away", near, 0);
  tap::equal("two ttl away or more", far, 0);
  tap::equal("another within the window", wrong_window, 0);
  tap::equal("windows that are not ttl long", uneven, 0);
}

void check_expiry_by_stream() {
  constexpr std::uint64_t kTtl = 43'200;
  std::set<std::uint64_t> shifts;
  for (unsigned n = 0; n < 1000; n++) shifts.insert(hls::link_expiry(kNow, kTtl, stream_number(n), 0) % kTtl);
  tap::check(shifts.size() > 900, "streams change at moments of their own: " + std::to_string(shifts.size()));
  std::vector<unsigned> quarters(4);
  for (std::uint64_t shift : shifts) quarters[shift * 4 / kTtl]++;
  for (unsigned count : quarters) tap::check(count > 100, "spread over the window: " + std::to_string(count));
}

void check_expiry_of_parent() {
  const std::string stream = kStream;
  const std::uint64_t own = hls::link_expiry(kNow, 1000, stream, 0);
  struct {
    std::uint64_t parent, ttl, wanted;
  } const cases[] = {
      {0, 1000, own},
      {1, 1000, own},
      {kNow, 1000, own},
      {kNow + 499, 1000, own},
      {kNow + 500, 1000, own},              // ttl / 2: no more
      {kNow + 501, 1000, kNow + 501},
      {kNow + 1000, 1000, kNow + 1000},
      {kNow + 5'000'000, 1000, kNow + 5'000'000},   // a segment's, from a playlist's
      {kNow + 1, 1, kNow + 1},
      {kNow, 1, kNow + 1},
  };
  for (const auto &c : cases) {
    tap::equal("parent " + std::to_string(c.parent),
               static_cast<long long>(hls::link_expiry(kNow, c.ttl, stream, c.parent)),
               static_cast<long long>(c.wanted));
  }
}

#define TEST(name) void test_##name(void **) { check_##name(); TAP_FINISH(); }
TEST(against_oracle)
TEST(positions)
TEST(vectors)
TEST(bytes)
TEST(limits)
TEST(injective)
TEST(same_resource)
TEST(directories)
TEST(windows)
TEST(output)
TEST(hosts)
TEST(dead)
TEST(position_parent)
TEST(expiry)
TEST(expiry_by_stream)
TEST(expiry_of_parent)

}  // namespace

TAP_MAIN(cmocka_unit_test(test_against_oracle), cmocka_unit_test(test_positions),
         cmocka_unit_test(test_vectors), cmocka_unit_test(test_bytes), cmocka_unit_test(test_limits),
         cmocka_unit_test(test_injective), cmocka_unit_test(test_same_resource),
         cmocka_unit_test(test_directories), cmocka_unit_test(test_windows), cmocka_unit_test(test_output),
         cmocka_unit_test(test_hosts), cmocka_unit_test(test_dead), cmocka_unit_test(test_position_parent),
         cmocka_unit_test(test_expiry), cmocka_unit_test(test_expiry_by_stream),
         cmocka_unit_test(test_expiry_of_parent))
