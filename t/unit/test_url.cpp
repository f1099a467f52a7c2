// Reference resolution: RFC 3986 5.4's own examples, what players and origins really write, and a sweep
// over combinations of path segments for which libcurl's URL API says what is right.

#include "url.h"

#include <curl/curl.h>

#include <cstdlib>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "tap_main.h"

// Counts, so that "no allocation" can be tested.
static unsigned long allocations;

void *operator new(std::size_t size) {
  allocations++;
  if (void *p = std::malloc(size ? size : 1)) return p;
  throw std::bad_alloc();
}
void operator delete(void *p) noexcept { std::free(p); }
void operator delete(void *p, std::size_t) noexcept { std::free(p); }

namespace {

using hls::Reference;
using hls::Url;
using std::string;
using std::string_view;
using namespace std::literals;

const char *name_of(Reference kind) {
  switch (kind) {
  case Reference::http: return "http";
  case Reference::other: return "other";
  case Reference::same_document: return "same_document";
  case Reference::unusable: return "unusable";
  }
  return "?";
}

Url url_of(string_view text) {
  Url url;
  tap::check(hls::parse_url(text, url), "parse_url " + tap::quoted(text));
  return url;
}

/// The absolute URL, or "<kind>" where the reference is none.
string resolve(const Url &base, string_view ref) {
  Url out = url_of("http://left.over:81/from/before?x");
  Reference kind = hls::resolve_reference(base, ref, out);
  if (kind == Reference::http) {
    Url again = url_of(out.text());
    tap::check(again.authority() == out.authority() && again.directory() == out.directory() &&
                   again.name() == out.name() && again.query() == out.query() && again.https() == out.https(),
               "the parts of " + tap::quoted(ref));
    return string(out.text());
  }
  tap::check(out.empty(), "nothing left of the URL before: " + tap::quoted(ref));
  return "<"s + name_of(kind) + ">";
}

struct Case {
  string_view ref, wanted;
};

template <std::size_t N>
void check_cases(string_view base_text, const Case (&cases)[N]) {
  Url base = url_of(base_text);
  for (const Case &c : cases) tap::equal(tap::quoted(c.ref), resolve(base, c.ref), c.wanted);
}

// RFC 3986 5.4.1 and 5.4.2, without the fragments that never go upstream.
void check_rfc3986() {
  static constexpr Case kCases[] = {
      {"g:h", "<other>"},
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g/"},   // "http://g": an empty path is "/" (6.2.3)
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "<same_document>"},
      {"g#s", "http://a/b/c/g"},
      {"g?y#s", "http://a/b/c/g?y"},
      {";x", "http://a/b/c/;x"},
      {"g;x", "http://a/b/c/g;x"},
      {"g;x?y#s", "http://a/b/c/g;x?y"},
      {"", "<same_document>"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"../../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {".g", "http://a/b/c/.g"},
      {"g..", "http://a/b/c/g.."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"g?y/./x", "http://a/b/c/g?y/./x"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"g#s/./x", "http://a/b/c/g"},
      {"g#s/../x", "http://a/b/c/g"},
      {"http:g", "<unusable>"},   // "for strict parsers" it has no host
  };
  check_cases("http://a/b/c/d;p?q", kCases);
}
void test_rfc3986(void **) { check_rfc3986(); TAP_FINISH(); }

constexpr string_view kBase = "https://up.example/live/ch1/index.m3u8?tok=A%2FB";
#define DIR "https://up.example/live/ch1/"

void check_playlists() {
  static constexpr Case kCases[] = {
      {"a.ts", DIR "a.ts"},   // the query of the playlist is not handed down
      {"./b.ts", DIR "b.ts"},
      {"x/./j.ts", DIR "x/j.ts"},
      {"x/../k.ts", DIR "k.ts"},
      {"../../../../d.ts", "https://up.example/d.ts"},
      {"/e.ts", "https://up.example/e.ts"},
      {"//cdn.example/f.ts", "https://cdn.example/f.ts"},
      {"?g=1", DIR "index.m3u8?g=1"},
      {"?", DIR "index.m3u8?"},
      {"a.ts?", DIR "a.ts?"},
      {"?#f", DIR "index.m3u8?"},
      {"#f", "<same_document>"},
      {"#", "<same_document>"},
      {"h.ts#frag", DIR "h.ts"},
      {"h.ts?a#b?c#d", DIR "h.ts?a"},
      {"l.ts?q=/../m", DIR "l.ts?q=/../m"},
      {"m.ts?u=https://x/y?z", DIR "m.ts?u=https://x/y?z"},
      {"%2e%2e/n.ts", DIR "%2e%2e/n.ts"},
      {"%2E./n.ts", DIR "%2E./n.ts"},
      {"a%2Fb", DIR "a%2Fb"},
      {"a%2fb%2F", DIR "a%2fb%2F"},
      {"a%20b+c~d==", DIR "a%20b+c~d=="},
      {"a!$&'()*+,;=@b", DIR "a!$&'()*+,;=@b"},
      {"100%.ts", DIR "100%.ts"},
      {"%", DIR "%"},
      {"%zz%4", DIR "%zz%4"},
      {"p q.ts", DIR "p%20q.ts"},
      {"r|s.ts", DIR "r%7Cs.ts"},
      {"{y}.ts", DIR "%7By%7D.ts"},
      {"[1].ts", DIR "[1].ts"},
      {"a\tb\x01\x1F\x7F", DIR "a%09b%01%1F%7F"},
      {"\"<>^`", DIR "%22%3C%3E%5E%60"},
      {"\xC3\xA9.ts", DIR "%C3%A9.ts"},   // UTF-8
      {"\xE9.ts", DIR "%E9.ts"},          // Latin-1
      {"a?b c|d\xFF[1]", DIR "a?b%20c%7Cd%FF[1]"},
      {"a?b\"<>\\^`{}", DIR "a?b%22%3C%3E%5C%5E%60%7B%7D"},
      {"dir//x.ts", DIR "dir//x.ts"},
      {"/dir//x.ts", "https://up.example/dir//x.ts"},
      {"/.//x.ts", "https://up.example//x.ts"},
      {".//x.ts", DIR "/x.ts"},
      {"..//x.ts", "https://up.example/live//x.ts"},
      {"./?k=v", DIR "?k=v"},
      {"../?k=v", "https://up.example/live/?k=v"},
      {"a//../x.ts", DIR "a/x.ts"},   // the empty segment is the one that '..' takes away
      {"s.ts|User-Agent=a%20b&Referer=c", DIR "s.ts%7CUser-Agent=a%20b&Referer=c"},
      {"HTTPS://UP.example/w.ts", "https://up.example/w.ts"},
      {"hTTp://Cdn.EXAMPLE/W.ts", "http://cdn.example/W.ts"},
      {"https://cdn.example/a/../b/./c.ts?x=/../", "https://cdn.example/b/c.ts?x=/../"},
      {"https://cdn.example/..", "https://cdn.example/"},
      {"https://cdn.example", "https://cdn.example/"},
      {"https://cdn.example?x", "https://cdn.example/?x"},
      {"https://cdn.example?x/y", "https://cdn.example/?x/y"},
      {"https://cdn.example#x@y/z", "https://cdn.example/"},
      {"./t:u.ts", DIR "t:u.ts"},
      {"a/t:u.ts", DIR "a/t:u.ts"},
      {"a?t:u.ts", DIR "a?t:u.ts"},
      {":a.ts", DIR ":a.ts"},        // no scheme: it would begin with a letter
      {"1:a.ts", DIR "1:a.ts"},
      {"-http://x/", DIR "-http://x/"},
      {"http%3A//evil.example/", DIR "http%3A//evil.example/"},
      {"...", DIR "..."},
      {".../.ts", DIR ".../.ts"},
  };
  check_cases(kBase, kCases);
}
void test_playlists(void **) { check_playlists(); TAP_FINISH(); }

// What one parser takes for a file name and another one for a host: resolved here, and only here.
void check_disguised_hosts() {
  static constexpr Case kCases[] = {
      {"\\\\evil.example\\a", DIR "%5C%5Cevil.example%5Ca"},
      {"/\\evil.example/a", "https://up.example/%5Cevil.example/a"},
      {"\\/evil.example/a", DIR "%5C/evil.example/a"},
      {"ht\ttp://evil.example/", DIR "ht%09tp://evil.example/"},
      {"\x01http://evil.example/", DIR "%01http://evil.example/"},
      {"http:\\\\evil.example\\a", "<unusable>"},
      {"http:/\\evil.example/", "<unusable>"},
      {"http:evil.example/", "<unusable>"},
      {"https:", "<unusable>"},
      {"http:?x", "<unusable>"},
      {"http:/evil.example/", "<unusable>"},
      {"http:///evil.example/", "<unusable>"},
      {"///evil.example/", "<unusable>"},
      {"//", "<unusable>"},
      {"//?x", "<unusable>"},
      {"//a.example\\@b.example/", "https://a.example%5C@b.example/"},
      {"//a.example@b.example@c.example/", "https://a.example%40b.example@c.example/"},
      {"//b.example:80\\.evil.example/", "<unusable>"},
      {"//b.example\\.evil.example/", "<unusable>"},
      {"//b.example%2Fevil.example/", "<unusable>"},
      {"//b.example;evil.example/", "<unusable>"},
      {"//b.example#@evil.example/", "https://b.example/"},
      {"//b.example?@evil.example/", "https://b.example/?@evil.example/"},
      {"/b/@evil.example/", "https://up.example/b/@evil.example/"},
  };
  check_cases(kBase, kCases);
}
void test_disguised_hosts(void **) { check_disguised_hosts(); TAP_FINISH(); }

void check_authorities() {
  static constexpr Case kCases[] = {
      {"//h:80/", "https://h:80/"},   // written, so kept: also where it is the default
      {"//h:443/", "https://h:443/"},
      {"//h:/", "https://h/"},
      {"//h:00080/", "https://h:00080/"},
      {"//h:65535/", "https://h:65535/"},
      {"//h:65536/", "<unusable>"},
      {"//h:99999999999999999999999/", "<unusable>"},
      {"//h:0/", "<unusable>"},
      {"//h:000/", "<unusable>"},
      {"//h:8a/", "<unusable>"},
      {"//h:+8/", "<unusable>"},
      {"//h:-8/", "<unusable>"},
      {"//h: 8/", "<unusable>"},
      {"//h:80:80/", "<unusable>"},
      {"//:80/", "<unusable>"},
      {"//u:p@H/", "https://u:p@h/"},
      {"//U:P%40:x@h:81/", "https://U:P%40:x@h:81/"},
      {"//u p\xFF[]@h/", "https://u%20p%FF%5B%5D@h/"},
      {"//u!$&'()*+,;=~-._@h/", "https://u!$&'()*+,;=~-._@h/"},
      {"//@h/", "https://h/"},
      {"//:@h/", "https://:@h/"},
      {"//u@/", "<unusable>"},
      {"//a-b_c.9.example./x", "https://a-b_c.9.example./x"},
      {"//./x", "<unusable>"},
      {"//../x", "<unusable>"},
      {"//.h/x", "<unusable>"},
      {"//a..b/x", "<unusable>"},
      {"//a../x", "<unusable>"},
      {"//h\xC3\xA9.example/", "<unusable>"},
      {"//h%41.example/", "<unusable>"},
      {"//h h/", "<unusable>"},
      {"//h*/", "<unusable>"},
      {"//h,g/", "<unusable>"},
      {"//127.0.0.1:8080/x", "https://127.0.0.1:8080/x"},
      {"//[::1]/x", "https://[::1]/x"},
      {"//[2001:DB8::A]:8443/x", "https://[2001:db8::a]:8443/x"},
      {"//[::FFFF:1.2.3.4]/x", "https://[::ffff:1.2.3.4]/x"},
      {"//u@[::1]:81/x", "https://u@[::1]:81/x"},
      {"//[0000:0000:0000:0000:0000:FFFF:255.255.255.255]/",   // the longest there is
       "https://[0000:0000:0000:0000:0000:ffff:255.255.255.255]/"},
      {"//[00000:0000:0000:0000:0000:FFFF:255.255.255.255]/", "<unusable>"},
      {"//[::1/x", "<unusable>"},
      {"//::1]/x", "<unusable>"},
      {"//[]/x", "<unusable>"},
      {"//[/x", "<unusable>"},
      {"//]/x", "<unusable>"},
      {"//[1:2]/x", "<unusable>"},
      {"//[::1]x/", "<unusable>"},
      {"//[::1]]/", "<unusable>"},
      {"//x[::1]/", "<unusable>"},
      {"//[::1]:0/", "<unusable>"},
      {"//[fe80::1%25eth0]/x", "<unusable>"},
      {"//[fe80::1%eth0]/x", "<unusable>"},
      {"//[v1.a]/x", "<unusable>"},
      {"//[127.0.0.1]/x", "<unusable>"},
      {"//[1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:1:2:3:4:5:6:7]/", "<unusable>"},
  };
  check_cases(kBase, kCases);
}
void test_authorities(void **) { check_authorities(); TAP_FINISH(); }

void check_other_schemes() {
  static constexpr string_view kOther[] = {
      "data:text/plain;base64,AAAA", "skd://key", "urn:uuid:1", "t:u.ts", "com.apple.hls:x", "marlin:a",
      "blob:https://a/b", "file:///etc/passwd", "ftp://h/", "rtmp://h/a", "udp://@239.0.0.1:1", "x-y+z.1:",
      "javascript:alert(1)", "crypto+http://h/", "httpx://h/", "httpss://h/", "htt://h/", "concat:a|b",
      "data:a b\xFF\"", "plugin://x y",
  };
  Url base = url_of(kBase);
  for (string_view ref : kOther) tap::equal(tap::quoted(ref), resolve(base, ref), "<other>");
}
void test_other_schemes(void **) { check_other_schemes(); TAP_FINISH(); }

// NUL, CR and LF end a request line or a C string somewhere: wherever they stand, nothing comes of it.
void check_forbidden_bytes() {
  Url base = url_of(kBase);
  static constexpr string_view kPlaces[] = {
      "a_b.ts", "_",      "a_",        "a/_",      "a?_",    "a#_",        "#_",     "//h_/",
      "//_@h/", "//h:8_/", "//[::1_]/", "//h/../_", "data:_", "ht_tp://h/", "http:_",
  };
  for (string_view where : kPlaces) {
    for (char byte : {'\0', '\r', '\n'}) {
      string ref(where);
      ref[ref.find('_')] = byte;
      tap::equal(tap::quoted(ref), resolve(base, ref), "<unusable>");
    }
  }
}
void test_forbidden_bytes(void **) { check_forbidden_bytes(); TAP_FINISH(); }

// Each byte on its own, in a file name and in a query. The legal ones are spelled out from RFC 3986
// appendix A (pchar), with what players send raw beside it: brackets and a lone '%'.
void check_every_byte() {
  constexpr string_view kKept =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@[]%";
  Url base = url_of(kBase);
  for (unsigned value = 1; value < 256; value++) {
    char byte = static_cast<char>(value);
    if (byte == '\r' || byte == '\n' || byte == '#' || byte == '/' || byte == '?') continue;
    char escaped[4];
    std::snprintf(escaped, sizeof escaped, "%%%02X", value);
    string wanted = kKept.find(byte) != kKept.npos ? string(1, byte) : string(escaped);
    tap::equal("in a path", resolve(base, "./a"s + byte + "c"), DIR "a" + wanted + "c");
    tap::equal("in a query", resolve(base, "a?"s + byte + "c"), DIR "a?" + wanted + "c");
  }
  tap::equal("'?' and '/' in a query", resolve(base, "a?/?"), DIR "a?/?");
}
void test_every_byte(void **) { check_every_byte(); TAP_FINISH(); }

void check_parse_url() {
  static constexpr Case kCases[] = {
      {"http://a", "http://a/"},
      {"HTTPS://A:8443?b#c", "https://a:8443/?b"},
      {"http://a/b/../c", "http://a/c"},
      {"//a/b", "<no>"},
      {"/b", "<no>"},
      {"b", "<no>"},
      {"?b", "<no>"},
      {"#b", "<no>"},
      {"", "<no>"},
      {"ftp://a/", "<no>"},
      {" http://a/", "<no>"},
      {"http://a b/", "<no>"},
      {"http://a/\n", "<no>"},
  };
  for (const Case &c : kCases) {
    Url url = url_of("https://before/");
    bool ok = hls::parse_url(c.ref, url);
    tap::equal(tap::quoted(c.ref), ok ? string(url.text()) : "<no>"s, c.wanted);
    tap::check(ok || url.empty(), "nothing left of the URL before");
  }
}
void test_parse_url(void **) { check_parse_url(); TAP_FINISH(); }

struct Parts {
  string_view text, authority, directory, name, query, host_and_port, host, user;
  unsigned port;
  bool https, has_query;
};

constexpr Parts kParts[] = {
    {"http://h/", "h", "/", "", "", "h", "h", "", 80, false, false},
    {"https://h/a", "h", "/", "a", "", "h", "h", "", 443, true, false},
    {"https://h/?", "h", "/", "", "", "h", "h", "", 443, true, true},
    {"https://h/a/b//c/d.ts?e/f?g", "h", "/a/b//c/", "d.ts", "e/f?g", "h", "h", "", 443, true, true},
    {"http://u:p%40@h.example.:81/a/", "u:p%40@h.example.:81", "/a/", "", "", "h.example.:81", "h.example",
     "u:p%40", 81, false, false},
    {"http://u@[2001:db8::1]:8080/x?y", "u@[2001:db8::1]:8080", "/", "x", "y", "[2001:db8::1]:8080",
     "2001:db8::1", "u", 8080, false, true},
    {"https://[::1]/x@y:z", "[::1]", "/", "x@y:z", "", "[::1]", "::1", "", 443, true, false},
    {"https://h:00443/@", "h:00443", "/", "@", "", "h:00443", "h", "", 443, true, false},
};

void check_parts() {
  for (const Parts &p : kParts) {
    Url url = url_of(p.text);
    string what(p.text);
    tap::equal(what + " text", url.text(), p.text);
    tap::equal(what + " authority", url.authority(), p.authority);
    tap::equal(what + " directory", url.directory(), p.directory);
    tap::equal(what + " name", url.name(), p.name);
    tap::equal(what + " query", url.query(), p.query);
    tap::equal(what + " host_and_port", url.host_and_port(), p.host_and_port);
    tap::equal(what + " host", url.host(), p.host);
    tap::equal(what + " user_info", url.user_info(), p.user);
    tap::equal(what + " port", static_cast<long long>(url.port()), p.port);
    tap::check(url.https() == p.https, what + " https");
    tap::check(url.has_query() == p.has_query, what + " has_query");
    tap::equal(what + " path_and_query", url.path_and_query(),
               p.text.substr((p.https ? 8 : 7) + p.authority.size()));
  }
  Url none;
  tap::check(none.empty() && none.host().empty() && none.user_info().empty() && !none.has_query() &&
                 none.path_and_query().empty(),
             "an empty Url has empty parts");
}
void test_parts(void **) { check_parts(); TAP_FINISH(); }

void check_assign() {
  Url url;
  for (const Parts &p : kParts) {
    tap::check(url.assign(p.https, p.authority, p.directory, p.name, p.has_query, p.query), p.text);
    tap::equal("put together", url.text(), p.text);
    tap::equal("authority", url.authority(), p.authority);
    tap::equal("directory", url.directory(), p.directory);
    tap::equal("name", url.name(), p.name);
    tap::equal("query", url.query(), p.query);
    tap::check(url.has_query() == p.has_query, "has_query");
  }

  struct Bad {
    string_view authority, directory, name;
    bool has_query;
    string_view query;
  };
  static constexpr Bad kBad[] = {
      {"", "/", "", false, ""},
      {"H", "/", "", false, ""},            // not folded
      {"h:", "/", "", false, ""},
      {"h:0", "/", "", false, ""},
      {"h:65536", "/", "", false, ""},
      {"@h", "/", "", false, ""},
      {"u@v@h", "/", "", false, ""},
      {"u\\@h", "/", "", false, ""},
      {"h/x", "/", "", false, ""},
      {"u/@h", "/", "", false, ""},
      {"h?x", "/", "", false, ""},
      {"h#x", "/", "", false, ""},
      {"h\0"sv, "/", "", false, ""},
      {"[::1\0]"sv, "/", "", false, ""},
      {"u\r\n@h", "/", "", false, ""},
      {"h\xFF", "/", "", false, ""},
      {"[::G]", "/", "", false, ""},
      {"[::A]", "/", "", false, ""},        // not folded
      {"h", "", "", false, ""},
      {"h", "a/", "", false, ""},
      {"h", "/a", "", false, ""},
      {"h", "/a/../", "", false, ""},
      {"h", "/../", "", false, ""},
      {"h", "/./", "", false, ""},
      {"h", "/a b/", "", false, ""},
      {"h", "/a\\b/", "", false, ""},
      {"h", "/a\n/", "", false, ""},
      {"h", "/a\0/"sv, "", false, ""},
      {"h", "/a?/", "", false, ""},
      {"h", "/a#/", "", false, ""},
      {"h", "/\xC3\xA9/", "", false, ""},
      {"h", "/", "a/b", false, ""},
      {"h", "/", ".", false, ""},
      {"h", "/", "..", false, ""},
      {"h", "/", "a?b", false, ""},
      {"h", "/", "a#b", false, ""},
      {"h", "/", "a b", false, ""},
      {"h", "/", "a\tb", false, ""},
      {"h", "/", "a\0b"sv, false, ""},
      {"h", "/", "a\x7F", false, ""},
      {"h", "/", "{$v}", false, ""},
      {"h", "/", "a", false, "b"},          // a query that is not there
      {"h", "/", "a", true, "b#c"},
      {"h", "/", "a", true, "b c"},
      {"h", "/", "a", true, "b\nc"},
      {"h", "/", "a", true, "b\0c"sv},
      {"h", "/", "a", true, "\"b\""},
  };
  for (const Bad &b : kBad) {
    string what = tap::quoted(b.authority) + tap::quoted(b.directory) + tap::quoted(b.name);
    what += tap::quoted(b.query);
    tap::check(!url.assign(true, b.authority, b.directory, b.name, b.has_query, b.query), what);
    tap::check(url.empty(), "empty after " + what);
  }
}
void test_assign(void **) { check_assign(); TAP_FINISH(); }

void check_no_allocation() {
  Url base = url_of(kBase), out;
  const string refs[] = {"segment-00000001.ts", "a.m4s?x=1&y=2", "../v/a b.ts",
                         "https://u@cdn.example:81/a/../b?c"};
  for (const string &ref : refs) hls::resolve_reference(base, ref, out);
  unsigned long before = allocations;
  for (int i = 0; i < 100; i++) {
    for (const string &ref : refs) hls::resolve_reference(base, ref, out);
  }
  tap::equal("allocations", static_cast<long long>(allocations - before), 0);
}
void test_no_allocation(void **) { check_no_allocation(); TAP_FINISH(); }

// "/a/a/a/…/../../.." must not cost its length squared: 2 MB take milliseconds, or minutes.
void check_long_paths() {
  Url base = url_of(kBase);
  string ref;
  for (int i = 0; i < 400000; i++) ref += "a/";
  for (int i = 0; i < 400000; i++) ref += "../";
  tap::equal("up and down", resolve(base, ref + "x.ts"), DIR "x.ts");
  ref = "./" + string(400000, '/');
  for (int i = 0; i < 400001; i++) ref += "../";
  tap::equal("up over empty segments", resolve(base, ref + "x.ts"), "https://up.example/live/x.ts");
}
void test_long_paths(void **) { check_long_paths(); TAP_FINISH(); }

// ---- libcurl as the oracle ----

/// `ref` resolved by libcurl, without fragment; "<no>" where it refuses.
string curl_resolve(string_view base, const string &ref) {
  CURLU *handle = curl_url();
  char *text = nullptr;
  string result = "<no>";
  if (curl_url_set(handle, CURLUPART_URL, string(base).c_str(), 0) == CURLUE_OK &&
      curl_url_set(handle, CURLUPART_URL, ref.c_str(), 0) == CURLUE_OK &&
      curl_url_set(handle, CURLUPART_FRAGMENT, nullptr, 0) == CURLUE_OK &&
      curl_url_get(handle, CURLUPART_URL, &text, 0) == CURLUE_OK) {
    result = text;
  }
  curl_free(text);
  curl_url_cleanup(handle);
  return result;
}

/// What libcurl 7.88 does in another way; the tables above have these by hand.
bool differs_on_purpose(string_view ref) {
  // It makes a host of the first segment after any number of slashes, where a browser and we see none,
  // and takes host names with empty labels.
  if (ref.substr(0, 2) == "//" && ref.substr(0, 8) != "//other.") return true;
  // It loses an empty segment or the directory's slash behind leading dot segments: ".//a" becomes "a",
  // and "./?k" the directory without its '/' (RFC 3986 5.2.4 keeps both).
  bool dots = false;
  while (ref.substr(0, 2) == "./" || ref.substr(0, 3) == "../") {
    ref.remove_prefix(ref.find('/') + 1);
    dots = true;
  }
  if (dots && (ref.substr(0, 1) == "/" || ref.substr(0, 1) == "?")) return true;
  // It gives the base, fragment and all, where there is nothing to resolve (RFC 3986 4.4).
  return ref.empty() || ref[0] == '#';
}

/// Every sequence of one to `depth` segments.
void add_paths(const string &prefix, int depth, std::vector<string> &paths) {
  static constexpr string_view kSegments[] = {"",  ".",   "..",      "...",  ".a",  "a..",
                                              "b", "c.ts", "%2Fd", "e;f=1,2", "g@h", "~i+'j'"};
  for (string_view segment : kSegments) {
    string path = prefix + string(segment);
    paths.push_back(path);
    if (depth > 1) add_paths(path + "/", depth - 1, paths);
  }
}

void check_against_curl() {
  static constexpr string_view kBases[] = {
      "http://h/",
      "https://h/a/b/c/d.m3u8?e=/f/",
      "http://u:p@h.example:8080/a//b/?q",
      "https://[::1]:444/x/y",
  };
  static constexpr string_view kTails[] = {"", "?k=v", "?k=/../v?w#f/../g", "#f"};
  std::vector<string> paths;
  add_paths("", 3, paths);
  add_paths("/", 3, paths);
  add_paths("//other.example:81/", 2, paths);
  add_paths("https://third.example/", 3, paths);

  unsigned compared = 0;
  for (string_view base_text : kBases) {
    Url base = url_of(base_text);
    for (const string &path : paths) {
      for (string_view tail : kTails) {
        string ref = path + string(tail);
        if (differs_on_purpose(ref)) continue;
        tap::equal(string(base_text) + " " + ref, resolve(base, ref), curl_resolve(base_text, ref));
        compared++;
      }
    }
  }
  tap::check(compared > 50000, "most of the sweep is compared");
}
void test_against_curl(void **) { check_against_curl(); TAP_FINISH(); }

}  // namespace

TAP_MAIN(cmocka_unit_test(test_rfc3986), cmocka_unit_test(test_playlists),
         cmocka_unit_test(test_disguised_hosts), cmocka_unit_test(test_authorities),
         cmocka_unit_test(test_other_schemes), cmocka_unit_test(test_forbidden_bytes),
         cmocka_unit_test(test_every_byte), cmocka_unit_test(test_parse_url), cmocka_unit_test(test_parts),
         cmocka_unit_test(test_assign), cmocka_unit_test(test_no_allocation),
         cmocka_unit_test(test_long_paths), cmocka_unit_test(test_against_curl))
