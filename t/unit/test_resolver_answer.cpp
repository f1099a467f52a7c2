// A resolver's answer: both forms, their bounds, and what it may not say.

#include <string>

#include "link.h"
#include "resolver_answer.h"

#include "tap_main.h"

namespace {

using hls::AnswerError;

constexpr std::uint64_t kNow = 1800000000;
constexpr std::uint64_t kDay = 86400;

/// "url | name: value | expires | provider", or the error.
std::string read(std::string_view type, std::string_view body) {
  hls::ResolverAnswer answer;
  answer.provider = "before";
  AnswerError error = hls::parse_resolver_answer(type, body, kNow, answer);
  if (error != AnswerError::none) {
    if (answer.provider != "before") return "changed by an error";
    return std::string("! ") + hls::describe(error);
  }
  std::string shown(answer.url.text());
  for (const hls::UpstreamHeader &h : answer.headers) shown += " | " + h.name + ": " + h.value;
  return shown + " | " + std::to_string(answer.expires) + " | " + answer.provider;
}

std::string json(std::string_view body) { return read("application/json", body); }
std::string refusal(AnswerError error) { return std::string("! ") + hls::describe(error); }

void check_text() {
  const char *type = "text/plain";
  tap::equal("a line", read(type, "https://a.example/x.m3u8\n"), "https://a.example/x.m3u8 | 0 | ");
  tap::equal("no line end", read(type, "https://a.example/x"), "https://a.example/x | 0 | ");
  tap::equal("CR LF and more", read("Text/Plain; charset=utf-8", "\xEF\xBB\xBF  http://A.example \r\n# x\n"),
             "http://a.example/ | 0 | ");
  tap::equal("empty", read(type, ""), refusal(AnswerError::no_url));
  tap::equal("an empty first line", read(type, "\nhttps://a.example/"), refusal(AnswerError::no_url));
  tap::equal("two on a line", read(type, "https://a.example/ b"), "https://a.example/%20b | 0 | ");
  tap::equal("relative", read(type, "/x.m3u8"), refusal(AnswerError::bad_url));
  tap::equal("another scheme", read(type, "ftp://a.example/"), refusal(AnswerError::bad_url));
  tap::equal("NUL", read(type, std::string_view("https://a.example/\0", 19)), refusal(AnswerError::bad_url));
  std::string longest = "https://a.example/" + std::string(hls::LinkWriter::kMaxUrl - 18, 'a');
  tap::equal("the longest", read(type, longest), longest + " | 0 | ");
  tap::equal("too long", read(type, longest + "a"), refusal(AnswerError::bad_url));
  tap::equal("longer when escaped", read(type, longest.substr(0, longest.size() - 1) + "|"),
             refusal(AnswerError::bad_url));
  tap::equal("HTML", read("text/html", "https://a.example/"), refusal(AnswerError::wrong_type));
  tap::equal("no type", read("", "https://a.example/"), refusal(AnswerError::wrong_type));
  tap::equal("the largest", read(type, "http://a.b/\n" + std::string(65536 - 12, 'x')), "http://a.b/ | 0 | ");
  tap::equal("too large", read(type, "http://a.b/\n" + std::string(65536 - 11, 'x')),
             refusal(AnswerError::too_large));
}

void check_json() {
  tap::equal("all", json(R"({"url":"https://a.example/x","headers":{"Referer":"https://b/","X-A":" v "},)"
                         R"("expires":1800000600,"provider":"p","more":[1]})"),
             "https://a.example/x | Referer: https://b/ | X-A: v | 1800000600 | p");
  tap::equal("url alone", read("application/problem+JSON ;v=1", "{\"url\":\"https://a.example/x\"}"),
             "https://a.example/x | 0 | ");
  tap::equal("null members", json(R"({"url":"https://a/","headers":null,"expires":null,"provider":null})"),
             "https://a/ | 0 | ");
  tap::equal("no url", json(R"({"headers":{}})"), refusal(AnswerError::no_url));
  tap::equal("a null url", json(R"({"url":null})"), refusal(AnswerError::no_url));
  tap::equal("an empty url", json(R"({"url":""})"), refusal(AnswerError::no_url));
  tap::equal("a url of another type", json(R"({"url":1})"), refusal(AnswerError::bad_json));
  tap::equal("a bad url", json(R"({"url":"https://a b/"})"), refusal(AnswerError::bad_url));
  for (const char *bad : {"", "[]", "null", "\"https://a/\"", "{\"url\":\"https://a/\"", "{}x",
                          R"({"url":"https://a/","headers":[]})", R"({"url":"https://a/","headers":{"A":1}})",
                          R"({"url":"https://a/","provider":1})", R"({"url":"https://a/","expires":true})"}) {
    tap::equal(bad, json(bad), refusal(AnswerError::bad_json));
  }
  tap::equal("NUL behind", json(std::string_view("{\"url\":\"https://a/\"}\0", 21)),
             refusal(AnswerError::bad_json));
  tap::equal("deep", json(std::string(60000, '[')), refusal(AnswerError::bad_json));
  tap::equal("a long provider", json(R"({"url":"https://a/","provider":")" + std::string(65, 'p') + "\"}"),
             refusal(AnswerError::bad_provider));
  tap::equal("a provider of two lines", json(R"({"url":"https://a/","provider":"p\nq"})"),
             refusal(AnswerError::bad_provider));
}

std::string with_header(const std::string &name, const std::string &value) {
  return json("{\"url\":\"https://a/\",\"headers\":{\"" + name + "\":\"" + value + "\"}}");
}

void check_headers() {
  tap::equal("plain", with_header("User-Agent", "Mozilla/5.0 (X11)"),
             "https://a/ | User-Agent: Mozilla/5.0 (X11) | 0 | ");
  tap::equal("an empty value", with_header("X-Y", ""), "https://a/ | X-Y:  | 0 | ");
  tap::equal("cookies", with_header("cookie", "a=b"), "https://a/ | cookie: a=b | 0 | ");
  tap::equal("left out", with_header("accept-Encoding", "gzip"), "https://a/ | 0 | ");
  for (const char *name : {"", "a b", "a:", "a\\u0000", "\\u00e4", "a\\n", "(a)"}) {
    tap::equal(name, with_header(name, "v"), refusal(AnswerError::bad_header));
  }
  for (const char *value : {"a\\r\\nHost: x", "a\\n", "a\\u0000b", "a\\tb", "\\u007f"}) {
    tap::equal(value, with_header("X-Y", value), refusal(AnswerError::bad_header));
  }
  tap::equal("a value too long", with_header("X-Y", std::string(4097, 'a')),
             refusal(AnswerError::bad_header));
  tap::equal("the longest value", with_header("X-Y", std::string(4096, 'a')),
             "https://a/ | X-Y: " + std::string(4096, 'a') + " | 0 | ");
  tap::equal("a name too long", with_header(std::string(129, 'a'), ""), refusal(AnswerError::bad_header));
  for (const char *name : {"Host", "hOST", "Range", "If-Range", "if-none-match", "Connection", "Keep-Alive",
                           "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Proxy-Authorization",
                           "Proxy-Connection", "Content-Length", "content-type", "Expect",
                           "X-Accel-Redirect"}) {
    tap::equal(name, with_header(name, "v"), refusal(AnswerError::header_refused));
  }
  tap::equal("twice", json(R"({"url":"https://a/","headers":{"a":"1","A":"2"}})"),
             refusal(AnswerError::bad_header));
  for (int count : {32, 33}) {
    std::string list;
    for (int i = 0; i < count; i++) list += (i ? ",\"X" : "\"X") + std::to_string(i) + "\":\"v\"";
    std::string shown = json("{\"url\":\"https://a/\",\"headers\":{" + list + "}}");
    tap::check((shown == refusal(AnswerError::bad_header)) == (count == 33),
               std::to_string(count) + " headers");
  }
}

std::string expires(const std::string &value, const std::string &url = "https://a/") {
  std::string shown = json("{\"url\":\"" + url + "\",\"expires\":" + value + "}");
  return shown == refusal(AnswerError::bad_expires) ? "bad" : shown.substr(url.size() + 3);
}

void check_expires() {
  tap::equal("a number", expires("1800003600"), "1800003600 | ");
  tap::equal("digits", expires("\" 1800003600 \""), "1800003600 | ");
  tap::equal("milliseconds", expires("1800003600999"), "1800003600 | ");
  tap::equal("a fraction", expires("1800003600.9"), "1800003600 | ");
  tap::equal("none", expires("0"), "0 | ");
  tap::equal("a clock that is behind: a day ago", expires(std::to_string(kNow - kDay)), "0 | ");
  tap::equal("a clock that is behind: now", expires(std::to_string(kNow)), "0 | ");
  tap::equal("to come", expires(std::to_string(kNow + 1)), "1800000001 | ");
  tap::equal("past: the URL's own", expires("1799999999", "https://a/?exp=1800000060"), "1800000060 | ");
  tap::equal("longer ago", expires(std::to_string(kNow - kDay - 1)), "bad");
  tap::equal("in ten years", expires(std::to_string(kNow + 3650 * kDay)),
             std::to_string(kNow + 3650 * kDay) + " | ");
  tap::equal("in eleven", expires(std::to_string(kNow + 11 * 365 * kDay)), "bad");
  for (const char *bad : {"3600", "-1", "-1.5", "1e300", "1e400", "18446744073709551615", "\"soon\"", "\"\"",
                          "\"-1\"", "\"1800003600s\"", "\"18000036000000000000000000\""}) {
    std::string got = expires(bad);
    // Not even JSON: out of a double's range.
    tap::check(got == "bad" || (std::string_view(bad) == "1e400" && got.find("unix") == got.npos), bad);
  }
  tap::equal("before the URL's own", expires("1800003600", "https://a/?exp=1800000060"), "1800003600 | ");
  tap::equal("none: the URL's own", expires("null", "https://a/?exp=1800000060"), "1800000060 | ");
}

long long in_url(const std::string &query) {
  hls::Url url;
  hls::parse_url("https://a.example/x" + query, url);
  return static_cast<long long>(hls::url_expiry(url, kNow));
}

void check_url_expiry() {
  for (const char *name : {"e", "exp", "expires", "Expires", "t", "EXPIRY"}) {
    tap::equal(name, in_url("?a=b&" + std::string(name) + "=1800000100&c"), 1800000100);
  }
  tap::equal("milliseconds", in_url("?e=1800000100123"), 1800000100);
  tap::equal("escaped", in_url("?%65xp=%31800000100"), 1800000100);
  tap::equal("Akamai", in_url("?hdnts=st=1800000001~exp=1800000100~acl=/*~hmac=00"), 1800000100);
  tap::equal("Akamai, escaped", in_url("?hdntl=exp%3D1800000100~acl%3D%2F*"), 1800000100);
  tap::equal("the earliest to come", in_url("?t=1799999990&e=1800000300&exp=1800000200"), 1800000200);
  tap::equal("in another order", in_url("?exp=1800000200&e=1800000300&t=1799999990"), 1800000200);
  tap::equal("all past: when it was made", in_url("?t=1799999990&e=1799999980"), 0);
  tap::equal("now is past", in_url("?t=1800000000&e=1800000100"), 1800000100);
  tap::equal("the second after now", in_url("?e=1800000001"), 1800000001);
  for (const char *query : {"?e=1800000000", "?e=1799999999", "?e=1799913600", "?e=1800000000999",
                            "?t=1799999999999",
                            "?hdnts=st=1799999000~exp=1799999999~acl=/*", "?t=1799913599&e=1799990000"}) {
    tap::equal(std::string("past: ") + query, in_url(query), 0);
  }
  tap::equal("Akamai's start says nothing", in_url("?hdnts=st=1800000050~acl=/*"), 0);
  tap::equal("Akamai, one of two past", in_url("?hdnts=exp=1799999999~acl=/a&hdntl=exp=1800000700~acl=/b"),
             1800000700);
  tap::equal("in an answer", read("text/plain", "https://a/?e=1799999999"), "https://a/?e=1799999999 | 0 | ");
  tap::equal("in a JSON answer", json(R"({"url":"https://a/?e=1799999999&exp=1800000009"})"),
             "https://a/?e=1799999999&exp=1800000009 | 1800000009 | ");
  for (const char *query : {"", "?", "?e", "?e=", "?e=12", "?e=1800000100x", "?ex=1800000100", "?e=-1",
                            "?e=9999999999999999999999", "?x=exp=1", "?next=/e=1800000100"}) {
    tap::equal(query, in_url(query), 0);
  }
}

void test_text(void **) {
  check_text();
  TAP_FINISH();
}

void test_json(void **) {
  check_json();
  TAP_FINISH();
}

void test_headers(void **) {
  check_headers();
  TAP_FINISH();
}

void test_expires(void **) {
  check_expires();
  TAP_FINISH();
}

void test_url_expiry(void **) {
  check_url_expiry();
  TAP_FINISH();
}

}  // namespace

TAP_MAIN(cmocka_unit_test(test_text), cmocka_unit_test(test_json), cmocka_unit_test(test_headers),
         cmocka_unit_test(test_expires), cmocka_unit_test(test_url_expiry))
