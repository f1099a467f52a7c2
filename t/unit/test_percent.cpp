#include "percent.h"

#include <curl/curl.h>

#include <string>
#include <string_view>

#include "tap_main.h"

namespace {

using std::string;
using std::string_view;
using namespace std::literals;

void check_encode() {
  tap::equal("empty", hls::percent_encode(""), "");
  tap::equal("unreserved", hls::percent_encode("AZaz09-._~"), "AZaz09-._~");
  tap::equal("reserved", hls::percent_encode("a b+c&d=e/f?g#h%20"), "a%20b%2Bc%26d%3De%2Ff%3Fg%23h%2520");
  tap::equal("bytes", hls::percent_encode("\0\n\xC3\xA9\xFF"sv), "%00%0A%C3%A9%FF");

  // Python: urllib.parse.quote_plus.
  tap::equal("form", hls::form_encode("a b+c&d=e~-._"), "a+b%2Bc%26d%3De~-._");
  tap::equal("form, bytes", hls::form_encode("caf\xC3\xA9\0"sv), "caf%C3%A9%00");

  for (int c = 1; c < 256; c++) {
    char byte = static_cast<char>(c);
    char *wanted = curl_easy_escape(nullptr, &byte, 1);
    tap::equal("as libcurl", hls::percent_encode({&byte, 1}), wanted);
    tap::equal("form, but for the space", hls::form_encode({&byte, 1}), c == ' ' ? "+" : wanted);
    curl_free(wanted);
  }
}
void test_encode(void **) { check_encode(); TAP_FINISH(); }

void check_decode() {
  static constexpr struct { string_view text, plain, form; } kCases[] = {
      {"", "", ""},
      {"abc", "abc", "abc"},
      {"a+b", "a+b", "a b"},
      {"%2B%20", "+ ", "+ "},
      {"%41%4a%4A", "AJJ", "AJJ"},
      {"%C3%A9", "\xC3\xA9", "\xC3\xA9"},
      {"%00x", "\0x"sv, "\0x"sv},
      {"%", "%", "%"},
      {"%4", "%4", "%4"},
      {"%%41", "%A", "%A"},
      {"%4%41", "%4A", "%4A"},
      {"%zz%4g%g4", "%zz%4g%g4", "%zz%4g%g4"},
      {"100%+", "100%+", "100% "},
      {"%2541", "%41", "%41"},   // once
      {"%+1", "%+1", "% 1"},
      {"% 1%-1", "% 1%-1", "% 1%-1"},
  };
  for (const auto &c : kCases) {
    tap::equal("decode " + tap::quoted(c.text), hls::percent_decode(c.text, false), c.plain);
    tap::equal("form decode " + tap::quoted(c.text), hls::percent_decode(c.text, true), c.form);
    int length = 0;
    char *wanted = curl_easy_unescape(nullptr, c.text.data(), static_cast<int>(c.text.size()), &length);
    if (!c.text.empty()) {   // whose length libcurl takes for "find out yourself"
      tap::equal("as libcurl " + tap::quoted(c.text), hls::percent_decode(c.text, false),
                 string_view(wanted, static_cast<std::size_t>(length)));
    }
    curl_free(wanted);
  }

  string all;
  for (int c = 0; c < 256; c++) all += static_cast<char>(c);
  tap::equal("there and back", hls::percent_decode(hls::percent_encode(all), false), all);
  tap::equal("there and back, form", hls::percent_decode(hls::form_encode(all), true), all);
}
void test_decode(void **) { check_decode(); TAP_FINISH(); }

/// "name=value" or "name", each in brackets.
string split(string_view query) {
  string text;
  for (const hls::QueryArgument &a : hls::split_query(query)) {
    text += "[" + string(a.name) + (a.has_value ? "=" + string(a.value) : string(a.value)) + "]";
  }
  return text;
}

void check_split() {
  static constexpr struct { string_view query, wanted; } kCases[] = {
      {"", ""},
      {"&", ""},
      {"&&&", ""},
      {"a", "[a]"},
      {"a=", "[a=]"},
      {"=", "[=]"},
      {"=b", "[=b]"},
      {"a=b", "[a=b]"},
      {"a=b=c&d==", "[a=b=c][d==]"},
      {"&a=1&&b&", "[a=1][b]"},
      {"a=1&a=2", "[a=1][a=2]"},
      {"a%26=%3D+&b;c=?", "[a%26=%3D+][b;c=?]"},   // raw; ';' separates nothing
  };
  for (const auto &c : kCases) tap::equal(tap::quoted(c.query), split(c.query), c.wanted);
}
void test_split(void **) { check_split(); TAP_FINISH(); }

}  // namespace

TAP_MAIN(cmocka_unit_test(test_encode), cmocka_unit_test(test_decode), cmocka_unit_test(test_split))
