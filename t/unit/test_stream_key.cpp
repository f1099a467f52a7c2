#include "stream_key.h"

#include <set>

#include "link_oracle.h"

#include "tap_main.h"

using namespace std::string_literals;
using hls::StreamKey;

namespace {

bool same(const StreamKey &a, const StreamKey &b) { return a.source == b.source && a.values == b.values; }

struct Case {
  StreamKey key;
  std::string bytes;   // by hand: version 1, length and source, then per value its length plus one, or 0
};

const Case kCases[] = {
    {{"a", {}}, "\x01\x01""a"},
    {{"anime", {"show", std::nullopt, ""}}, "\x01\x05""anime\x05show\x00\x01"s},
    {{"anime", {std::nullopt, std::nullopt}}, "\x01\x05""anime\x00\x00"s},
    {{"s", {"a\0b"s, "\xC3\xA9"}}, "\x01\x01s\x04""a\0b\x03\xC3\xA9"s},
    {{"s", {std::string(126, 'x')}}, "\x01\x01s\x7F" + std::string(126, 'x')},
    {{"s", {std::string(127, 'x')}}, "\x01\x01s\x80\x01" + std::string(127, 'x')},
    {{std::string(200, 's'), {"1"}}, "\x01\xC8\x01" + std::string(200, 's') + "\x02""1"},
};

void check_round_trips() {
  for (const Case &c : kCases) {
    const std::string text = c.key.encode();
    tap::equal("encoded", text, oracle::base64url(c.bytes));
    StreamKey back{"stale", {"stale", "stale"}};
    tap::check(back.decode(text) && same(back, c.key), "decoded: " + tap::quoted(c.bytes.substr(0, 20)));
  }
  // Python: base64.urlsafe_b64encode(b"\x01\x05anime\x05show\x00\x01")
  tap::equal("a fixed one", kCases[1].key.encode(), "AQVhbmltZQVzaG93AAE");
}

void check_refused() {
  struct {
    const char *why;
    std::string bytes;
  } const refused[] = {
      {"empty", ""},
      {"no source", "\x01"},
      {"empty source", "\x01\x00"s},
      {"empty source before values", "\x01\x00\x02""a"s},
      {"version 0", "\x00\x01""a"s},
      {"version 2", "\x02\x01""a"},
      {"source cut off", "\x01\x03""ab"},
      {"padded length of the source", "\x01\x81\x00""a"s},
      {"value cut off", "\x01\x01""a\x03x"},
      {"value without its first byte", "\x01\x01""a\x02"},
      {"padded length of a value", "\x01\x01""a\x82\x00x"s},
      {"padded absence", "\x01\x01""a\x80\x00"s},
      {"huge length", "\x01\x01""a\xFF\xFF\xFF\x7Fx"},
      {"length of five bytes", "\x01\x01""a\xFF\xFF\xFF\xFF\x01x"},
  };
  for (const auto &c : refused) {
    StreamKey key;
    tap::check(!key.decode(oracle::base64url(c.bytes)), c.why);
  }
  for (const char *text : {"AQVhbmltZQVzaG93AAF", "AQVhbmltZQVzaG93AAE=", "AQVhbmltZQVzaG93AAE ", "AQ.h",
                           "AQVhbmltZQVzaG93A", " AQFh", "AQ+h", "AQ/h", "AQ%46h"}) {
    StreamKey key;
    tap::check(!key.decode(text), "not canonical: "s + text);
  }
}

// 2048 characters are 1536 bytes: version, length, source, length of two bytes, value.
void check_limit() {
  StreamKey key{"s", {std::string(1531, 'v')}}, back;
  tap::equal("the longest", static_cast<long long>(key.encode().size()), 2048);
  tap::check(back.decode(key.encode()) && same(back, key), "the longest decodes");
  key.values[0]->push_back('v');
  tap::check(!back.decode(key.encode()), "a longer one does not");
  tap::check(!back.decode(std::string(100'000, 'A')), "100 KB do not");
}

// Every prefix and every changed character: refused, or the one text of another key.
void check_one_form() {
  const std::string text = kCases[1].key.encode();
  std::set<std::string> variants;
  for (std::size_t i = 0; i < text.size(); i++) {
    variants.insert(text.substr(0, i));
    for (int c = 0; c < 256; c++) {
      std::string changed = text;
      changed[i] = static_cast<char>(c);
      variants.insert(changed);
    }
  }
  variants.erase(text);
  unsigned wrong = 0, decoded = 0;
  for (const std::string &variant : variants) {
    StreamKey key;
    if (!key.decode(variant)) continue;
    decoded++;
    wrong += key.encode() != variant || same(key, kCases[1].key);
  }
  tap::equal("decoded what encode() would not have written", wrong, 0);
  tap::check(decoded > 100, "some of them are other keys");
}

// Values of neighbours, absent, empty and split otherwise: never the same text.
void check_distinct() {
  using Values = std::vector<std::optional<std::string>>;
  const Values all[] = {{}, {std::nullopt}, {""}, {"", ""}, {std::nullopt, ""}, {"", std::nullopt},
                        {"ab", "c"}, {"a", "bc"}, {"abc"}, {"abc", std::nullopt}, {"abc", ""}, {"\x01"},
                        {"\0"s}, {"a\x02""b"}, {"a", "b"}, {"a", "b", std::nullopt}};
  std::set<std::string> texts;
  for (const Values &values : all) {
    for (const char *source : {"a", "ab", "a\x01"}) texts.insert(StreamKey{source, values}.encode());
  }
  tap::equal("distinct texts", static_cast<long long>(texts.size()),
             static_cast<long long>(std::size(all) * 3));
}

void test_round_trips(void **) { check_round_trips(); TAP_FINISH(); }
void test_refused(void **) { check_refused(); TAP_FINISH(); }
void test_limit(void **) { check_limit(); TAP_FINISH(); }
void test_one_form(void **) { check_one_form(); TAP_FINISH(); }
void test_distinct(void **) { check_distinct(); TAP_FINISH(); }

}  // namespace

TAP_MAIN(cmocka_unit_test(test_round_trips), cmocka_unit_test(test_refused), cmocka_unit_test(test_limit),
         cmocka_unit_test(test_one_form), cmocka_unit_test(test_distinct))
