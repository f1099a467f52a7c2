// JSON documents with URIs: asset lists (RFC 8216bis appendix D.2), date-range schedules, chapters.

#include <string>

#include "json_rewriter.h"

#include "playlist_fixture.h"

namespace {

using namespace std::string_literals;
using fixture::Case;
using hls::JsonResult;

#define UP "https://up.example/ads/"

constexpr std::string_view kBase = UP "list.json?x=1";

struct JsonCase {
  const char *name;
  std::string text;
  std::string wanted;
};

// Links in JSON have scheme and host: "[playlist! ...]".
std::string rewrite(std::string_view text, JsonResult &result, bool with_names = false) {
  fixture::Relay relay;
  hls::LinkWriter links(relay.scope());
  hls::Url base;
  hls::parse_url(kBase, base);
  std::string out = "untouched";
  result = hls::rewrite_json(text, base, links, out);
  Case names{"", "", "", {}, 0, std::string(kBase)};
  names.names = with_names;
  return fixture::show(names, out);
}

void check_rewritten(const JsonCase *cases, std::size_t count, bool with_names = false) {
  for (std::size_t i = 0; i < count; ++i) {
    JsonResult result;
    std::string out = rewrite(cases[i].text, result, with_names);
    tap::check(result == JsonResult::rewritten, cases[i].name);
    tap::equal(cases[i].name, out, cases[i].wanted);
  }
}

void check_result(const char *name, const std::string &text, JsonResult wanted) {
  JsonResult result;
  std::string out = rewrite(text, result);
  tap::equal(name, static_cast<long long>(result), static_cast<long long>(wanted));
  if (wanted != JsonResult::rewritten) tap::equal(name, out, "untouched");
}

void check_shapes() {
  const JsonCase cases[] = {
      {"asset list", R"({"ASSETS":[{"URI":"a.m3u8","DURATION":15},{"DURATION":1,"URI":"//o.example/b"}]})",
       R"({"ASSETS":[{"URI":"[playlist! )" UP R"(a.m3u8 name=a.m3u8]","DURATION":15},)"
       R"({"DURATION":1,"URI":"[playlist! https://o.example/b name=b.m3u8]"}]})"},
      {"asset list: other members and deeper ones are an application's",
       R"({"X":{"URI":"u"},"URI":"u","ASSETS":[{"X-AD-CREATIVE-SIGNALING":{"URI":"u",)"
       R"("tracking":["https://t/"],)"
       R"("ASSETS":[{"URI":"u"}]},"uri":"u","URI":["u"]},"u",[{"URI":"u"}]],"SKIP-CONTROL":{}})",
       R"({"X":{"URI":"u"},"URI":"u","ASSETS":[{"X-AD-CREATIVE-SIGNALING":{"URI":"u",)"
       R"("tracking":["https://t/"],)"
       R"("ASSETS":[{"URI":"u"}]},"uri":"u","URI":["u"]},"u",[{"URI":"u"}]],"SKIP-CONTROL":{}})"},
      {"empty asset list", R"( {"ASSETS" : [ ] } )", R"( {"ASSETS" : [ ] } )"},
      {"date-range schedule",
       R"({"DATERANGES":[{"ID":"1","X-ASSET-URI":"a","X-ASSET-LIST":"b.json","X-URI":"c","URI":"d",)"
       R"("X-U":"e"}]})",
       R"({"DATERANGES":[{"ID":"1","X-ASSET-URI":"[playlist! )" UP R"(a name=a.m3u8]",)"
       R"("X-ASSET-LIST":"[playlist! )" UP
       R"(b.json name=b.json]","X-URI":"[playlist! )" UP R"(c name=c.m3u8]","URI":"d","X-U":"e"}]})"},
      {"chapters",
       R"([{"chapter":1,"images":[{"image-category":"c","url":"../1.jpg"},{"url":"2"}],)"
       R"("metadata":[{"url":"m"}]},)"
       R"({"titles":[{"url":"t"}],"url":"u"}])",
       R"([{"chapter":1,"images":[{"image-category":"c",)"
       R"("url":"[media! https://up.example/1.jpg name=1.jpg]"},)"
       R"({"url":"[media! )" UP R"(2 name=2.jpg]"}],"metadata":[{"url":"m"}]},{"titles":[{"url":"t"}],)"
       R"("url":"u"}])"},
      {"duplicate members are all rewritten", R"({"ASSETS":[{"URI":"a","URI":"b"}],"ASSETS":[{"URI":"c"}]})",
       R"({"ASSETS":[{"URI":"[playlist! )" UP R"(a name=a.m3u8]","URI":"[playlist! )" UP
       R"(b name=b.m3u8]"}],"ASSETS":[{"URI":"[playlist! )" UP R"(c name=c.m3u8]"}]})"},
  };
  check_rewritten(cases, std::size(cases), true);
}

void test_shapes(void **) {
  check_shapes();
  TAP_FINISH();
}

void check_copied() {
  const JsonCase cases[] = {
      {"numbers keep every digit",
       R"({"ASSETS":[{"DURATION":15.000000000000000000001,"A":123456789012345678901234567890,"B":-0.0,)"
       R"("C":1e-400,)"
       R"("D":1.10,"E":18446744073709551615,"F":1E+2}]})",
       R"({"ASSETS":[{"DURATION":15.000000000000000000001,"A":123456789012345678901234567890,"B":-0.0,)"
       R"("C":1e-400,)"
       R"("D":1.10,"E":18446744073709551615,"F":1E+2}]})"},
      {"white space, order and escapes elsewhere", "\r\n{ \"z\":\"\\u0041\\/\\\"\" ,\t\"ASSETS\":[],\n"
       "\"a\":null}\n",
       "\r\n{ \"z\":\"\\u0041\\/\\\"\" ,\t\"ASSETS\":[],\n\"a\":null}\n"},
      {"byte order mark", "\xEF\xBB\xBF{\"ASSETS\":[]}", "\xEF\xBB\xBF{\"ASSETS\":[]}"},
      {"URIs of other schemes, empty and fragments",
       R"({"ASSETS":[{"URI":"data:,x"},{"URI":"skd://x"},{"URI":""},{"URI":"#x"},{"URI":" "},{"URI":7},)"
       R"({"URI":null}]})",
       R"({"ASSETS":[{"URI":"data:,x"},{"URI":"skd://x"},{"URI":""},{"URI":"#x"},{"URI":" "},{"URI":7},)"
       R"({"URI":null}]})"},
      {"UTF-8", "{\"t\":\"\xC3\xA9\",\"ASSETS\":[{\"URI\":\"\xC3\xA9\"}]}",
       "{\"t\":\"\xC3\xA9\",\"ASSETS\":[{\"URI\":\"[playlist! " UP "%C3%A9]\"}]}"},
  };
  check_rewritten(cases, std::size(cases));

  // An own link keeps its bytes.
  std::string text = R"({"ASSETS":[{"URI":"https://proxy.example/hls/playlist/s/a.m3u8"}]})";
  fixture::Relay relay;
  hls::LinkWriter links(relay.scope());
  hls::Url base;
  hls::parse_url(kBase, base);
  std::string out;
  tap::check(hls::rewrite_json(text, base, links, out) == JsonResult::rewritten, "own link");
  tap::equal("own link", out, text);
}

void test_copied(void **) {
  check_copied();
  TAP_FINISH();
}

void check_escapes() {
  const JsonCase cases[] = {
      {"escaped slashes", R"({"ASSETS":[{"URI":"https:\/\/o.example\/a.m3u8"}]})",
       R"({"ASSETS":[{"URI":"[playlist! https://o.example/a.m3u8]"}]})"},
      {"escaped quotes and backslashes", R"({"ASSETS":[{"A":"\\","URI":"\"\\\"\\"},{"URI":"\\\\"}]})",
       R"({"ASSETS":[{"A":"\\","URI":"[playlist! )" UP R"(%22%5C%22%5C]"},{"URI":"[playlist! )" UP
       R"(%5C%5C]"}]})"},
      {"escaped member names", R"({"\u0041SSETS":[{"U\u0052I":"a.m3u8"}]})",
       R"({"\u0041SSETS":[{"U\u0052I":"[playlist! )" UP R"(a.m3u8]"}]})"},
      {"escaped characters, beyond the first plane, too", R"({"ASSETS":[{"URI":"\u00e9\ud83c\udfac"}]})",
       R"({"ASSETS":[{"URI":"[playlist! )" UP R"(%C3%A9%F0%9F%8E%AC]"}]})"},
      {"a quote that ends the string after many backslashes", R"({"ASSETS":[{"URI":"a\\\\\\\""},)"
       R"({"B":"\\\\"}]})",
       R"({"ASSETS":[{"URI":"[playlist! )" UP R"(a%5C%5C%5C%22]"},{"B":"\\\\"}]})"},
      {"line ends and NUL open to nothing", R"({"ASSETS":[{"URI":"a\nb"},{"URI":"a\u0000"},)"
       R"({"URI":"http://"}]})",
       R"({"ASSETS":[{"URI":"[playlist! unusable]"},{"URI":"[playlist! unusable]"},)"
       R"({"URI":"[playlist! unusable]"}]})"},
      {"blanks around a URI", R"({"ASSETS":[{"URI":" \ta.m3u8 "}]})",
       R"({"ASSETS":[{"URI":"[playlist! )" UP R"(a.m3u8]"}]})"},
      {"variables are for playlists", R"({"ASSETS":[{"URI":"{$a}"}]})",
       R"({"ASSETS":[{"URI":"[playlist! )" UP R"(%7B$a%7D]"}]})"},
  };
  check_rewritten(cases, std::size(cases));
}

void test_escapes(void **) {
  check_escapes();
  TAP_FINISH();
}

std::string nested(int depth) { return std::string(depth, '[') + std::string(depth, ']'); }

void check_results() {
  check_result("an object of another shape", R"({"a":[{"URI":"u"}]})", JsonResult::not_hls);
  check_result("ASSETS is no array", R"({"ASSETS":{"URI":"u"}})", JsonResult::not_hls);
  check_result("an array of another shape", R"([{"URI":"u"},{"images":{"url":"u"}}])", JsonResult::not_hls);
  check_result("a string", R"("ASSETS")", JsonResult::not_hls);
  check_result("a number", "1", JsonResult::not_hls);
  check_result("empty", "", JsonResult::invalid);
  check_result("blank", " ", JsonResult::invalid);
  check_result("HTML", "<html>", JsonResult::invalid);
  check_result("cut off", R"({"ASSETS":[{"URI":"a"})", JsonResult::invalid);
  check_result("cut off in a string", R"({"ASSETS":[{"URI":"a)", JsonResult::invalid);
  check_result("something behind", R"({"ASSETS":[]} x)", JsonResult::invalid);
  check_result("comment", R"({"ASSETS":[/**/]})", JsonResult::invalid);
  check_result("invalid UTF-8", "{\"ASSETS\":[{\"URI\":\"\xE9\"}]}", JsonResult::invalid);
  check_result("invalid UTF-8 elsewhere", "{\"ASSETS\":[],\"\xC3\":1}", JsonResult::invalid);
  check_result("half a surrogate pair", R"({"ASSETS":[{"URI":"\ud83c"}]})", JsonResult::invalid);
  check_result("NUL", "{\"ASSETS\":[]}\0"s, JsonResult::invalid);
  check_result("control character in a string", "{\"ASSETS\":[{\"URI\":\"a\nb\"}]}", JsonResult::invalid);
  check_result("depth of 64", nested(64), JsonResult::not_hls);
  check_result("depth of 65", nested(65), JsonResult::invalid);
  check_result("depth of a million", std::string(1000000, '['), JsonResult::invalid);
  check_result("depth of a million objects", [] {
    std::string text;
    for (int i = 0; i < 1000000; ++i) text += "{\"\":";
    return text;
  }(), JsonResult::invalid);
}

void test_results(void **) {
  check_results();
  TAP_FINISH();
}

void check_limits() {
  auto asset = [](const std::string &uri) { return R"({"ASSETS":[{"URI":")" + uri + R"("}]})"; };
  const std::size_t max = hls::LinkWriter::kMaxUrl;
  const std::size_t room = max - std::string_view(UP).size();
  check_result("a URI at the limit", asset(std::string(room, 'x')), JsonResult::rewritten);
  check_result("a URI over the limit", asset(std::string(room + 1, 'x')), JsonResult::invalid);
  check_result("a URI over the limit before it is resolved", asset("a/../" + std::string(max, 'x')),
               JsonResult::invalid);
  check_result("a long data: URI", asset("data:," + std::string(100000, 'x')), JsonResult::rewritten);

  std::string many = "{\"ASSETS\":[", wanted = many;
  for (int i = 0; i < 1000; ++i) {
    many += "{\"URI\":\"" + std::to_string(i) + ".m3u8\"},";
    wanted += "{\"URI\":\"[playlist! " UP + std::to_string(i) + ".m3u8]\"},";
  }
  JsonResult result;
  tap::equal("many URIs", rewrite(many + "0]}", result), wanted + "0]}");
}

void test_limits(void **) {
  check_limits();
  TAP_FINISH();
}

}  // namespace

TAP_MAIN(cmocka_unit_test(test_shapes), cmocka_unit_test(test_copied), cmocka_unit_test(test_escapes),
         cmocka_unit_test(test_results), cmocka_unit_test(test_limits))
