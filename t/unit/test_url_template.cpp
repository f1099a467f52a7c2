#include "url_template.h"

#include "tap_main.h"

using namespace std::string_literals;
using hls::UrlTemplate;

namespace {

const std::vector<std::string> kNames = {"slug", "s", "e", "lang_2"};

std::string expanded(const std::string &text, const std::vector<std::string> &values, bool encode) {
  UrlTemplate url;
  std::string reason;
  if (!url.parse(text, kNames, reason)) return "not parsed: " + reason;
  auto result = url.expand([&](std::size_t i) { return std::string_view(values.at(i)); }, encode);
  return result ? *result : "refused";
}

void check_expansion() {
  const std::vector<std::string> values = {"the show", "1", "02", "d/e"};
  struct { std::string text, encoded, plain; } cases[] = {
      {"", "", ""},
      {"https://o.example/live.m3u8?a=b%20c", "https://o.example/live.m3u8?a=b%20c",
       "https://o.example/live.m3u8?a=b%20c"},
      {"https://o.example/$slug/$s/$e.m3u8", "https://o.example/the%20show/1/02.m3u8",
       "https://o.example/the show/1/02.m3u8"},
      {"$slug", "the%20show", "the show"},
      {"$s$e", "102", "102"},
      {"${s}e${e}", "1e02", "1e02"},
      {"x${s}", "x1", "x1"},
      {"?l=$lang_2&s=$s", "?l=d%2Fe&s=1", "?l=d/e&s=1"},
      {"$s-$s", "1-1", "1-1"},
      {"$$", "$", "$"},
      {"$$s", "$s", "$s"},
      {"$$$s", "$1", "$1"},
      {"a$$b$$", "a$b$", "a$b$"},
      {"{s} $s}", "{s} 1}", "{s} 1}"},
      {"%24s", "%24s", "%24s"},
  };
  for (const auto &c : cases) {
    tap::equal(c.text + " in a URL", expanded(c.text, values, true), c.encoded);
    tap::equal(c.text + " in a header", expanded(c.text, values, false), c.plain);
  }
  // All but unreserved characters (RFC 3986 2.3), each byte of UTF-8; nothing in a value is looked at again.
  tap::equal("encoding", expanded("/$slug", {"A-z.0_~ %2F?#&=+:@!$s*'()ä\x7f\x01\\", "", "", ""}, true),
             "/A-z.0_~%20%252F%3F%23%26%3D%2B%3A%40%21%24s%2A%27%28%29%C3%A4%7F%01%5C");
  tap::equal("an absent value", expanded("/a/$slug/b", {"", "", "", ""}, true), "/a//b");
}

void check_dot_segments() {
  struct { std::string text, slug, s, wanted; } cases[] = {
      {"https://o.example/a/$slug/b", "..", "", "refused"},
      {"https://o.example/a/$slug/b", ".", "", "refused"},
      {"https://o.example/a/$slug", "..", "", "refused"},
      {"https://o.example/a/$slug?q", "..", "", "refused"},
      {"https://o.example/a/$slug#f", "..", "", "refused"},
      {"https://o.example/a/$slug$s/b", ".", ".", "refused"},
      {"https://o.example/a/.$slug/b", ".", "", "refused"},
      {"https://o.example/a/$slug./b", ".", "", "refused"},
      {"https://o.example/a/$slug.$s/b", "", "", "refused"},
      {"https://o.example/a/.$slug./b", "", "", "refused"},
      {"https://$slug/b", "..", "", "refused"},
      {"https://o.example/a/$slug/b", "...", "", "https://o.example/a/.../b"},
      {"https://o.example/a/$slug/b", "../c", "", "https://o.example/a/..%2Fc/b"},
      {"https://o.example/a/$slug/b", "..\\", "", "https://o.example/a/..%5C/b"},
      {"https://o.example/a/$slug/b", "%2e%2e", "", "https://o.example/a/%252e%252e/b"},
      {"https://o.example/a/$slug.m3u8", "..", "", "https://o.example/a/...m3u8"},
      {"https://o.example/a/x$slug/b", "..", "", "https://o.example/a/x../b"},
      {"https://o.example/a?q=$slug", "..", "", "https://o.example/a?q=.."},
      {"https://o.example/a?$slug", "..", "", "https://o.example/a?.."},
      {"https://o.example/a?q=/$slug/", "..", "", "https://o.example/a?q=/../"},
      {"https://o.example/a#/$slug/", "..", "", "https://o.example/a#/../"},
      // What the user wrote stays what the user wrote.
      {"https://o.example/../a/$slug", "x", "", "https://o.example/../a/x"},
  };
  for (const auto &c : cases) {
    tap::equal(c.text + " with " + c.slug + " and " + c.s, expanded(c.text, {c.slug, c.s, "", ""}, true),
               c.wanted);
  }
  tap::equal("in a header they are text", expanded("/$slug/", {"..", "", "", ""}, false), "/../");
}

void check_header_values() {
  for (const std::string &bad : {"a\r\nX-Evil: 1"s, "a\n"s, "\r"s, "a\0b"s, "\t"s, "\x1f"s, "\x7f"s}) {
    const std::vector<std::string> values = {bad, "", "", ""};
    tap::equal("header with " + tap::quoted(bad), expanded("v $slug", values, false), "refused");
    std::string url = expanded("v/$slug", values, true);
    tap::check(url.find_first_of("\r\n\t\x1f\x7f\0"s) == url.npos, "URL with " + tap::quoted(bad));
  }
  tap::equal("bytes from 0x80 on", expanded("v $slug", {"é\xff ~", "", "", ""}, false), "v é\xff ~");
}

void check_errors() {
  struct { std::string text, about; } cases[] = {
      {"https://o.example/$show/x", "\"$show\"; known: $slug, $s, $e, $lang_2"},
      {"$slugs", "\"$slugs\""},
      {"$S", "\"$S\""},
      {"${show}", "\"$show\""},
      {"$s$", "\"$$\""},
      {"$", "\"$$\""},
      {"$$$", "\"$$\""},
      {"a$/b", "\"$$\""},
      {"$-s", "\"$$\""},
      {"$ s", "\"$$\""},
      {"$ä", "\"$$\""},
      {"${}", "'$'"},
      {"${s", "'}'"},
      {"${", "'}'"},
      {"${s-e}", "'}'"},
      {"${s }", "'}'"},
      {"a\nb", "control character"},
      {"a\0b"s, "control character"},
      {"a\x7f", "control character"},
  };
  for (const auto &c : cases) {
    UrlTemplate url;
    std::string reason;
    url.parse("https://earlier.example/$s", kNames, reason);
    tap::check(reason.empty(), "no reason without an error");
    tap::check(!url.parse(c.text, kNames, reason), "refuses " + tap::quoted(c.text));
    tap::check(reason.find(c.about) != reason.npos,
               tap::quoted(c.text) + ": the reason has " + c.about + ": " + reason);
    auto left = url.expand([](std::size_t) { return std::string_view(); }, true);
    tap::equal("the template is empty after " + tap::quoted(c.text), left.value_or("refused"), "");
  }
  UrlTemplate url;
  std::string reason;
  tap::check(!url.parse("$s", {}, reason), "no names at all");
  tap::equal("the reason", reason, "unknown variable \"$s\"; there are none here");
}

void check_constant() {
  struct { const char *text; bool wanted; } cases[] = {
      {"", true}, {"https://o.example/", true}, {"a$$s", true}, {"$s", false}, {"a${s}b", false}};
  for (const auto &c : cases) {
    UrlTemplate url;
    std::string reason;
    tap::check(url.parse(c.text, kNames, reason), c.text);
    tap::equal(c.text + " constant"s, url.constant(), c.wanted);
  }
  tap::check(UrlTemplate().constant(), "an empty one is");
}

void test_expansion(void **) { check_expansion(); TAP_FINISH(); }
void test_dot_segments(void **) { check_dot_segments(); TAP_FINISH(); }
void test_header_values(void **) { check_header_values(); TAP_FINISH(); }
void test_errors(void **) { check_errors(); TAP_FINISH(); }
void test_constant(void **) { check_constant(); TAP_FINISH(); }

}  // namespace

TAP_MAIN(cmocka_unit_test(test_expansion), cmocka_unit_test(test_dot_segments),
         cmocka_unit_test(test_header_values), cmocka_unit_test(test_errors), cmocka_unit_test(test_constant))
