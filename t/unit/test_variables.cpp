// Playlist variables: RFC 8216bis 4.3, and what a link carries of them.

#include "base64url.h"
#include "link.h"
#include "variables.h"

#include "tap_main.h"

namespace {

using hls::Expansion;
using hls::Variables;

Variables abc() {
  Variables v;
  v.define("a", "x");
  v.define("b-_9", "{$a}");
  v.define("empty", "");
  return v;
}

std::string expand(const Variables &v, std::string_view text, std::size_t limit = 1000) {
  std::string to = ">";
  switch (v.expand(text, limit, to)) {
    case Expansion::ok: return to;
    case Expansion::unknown_variable: return "unknown";
    case Expansion::too_long: return "too long";
  }
  return "?";
}

void check_expand() {
  Variables v = abc();
  tap::equal("nothing", expand(v, ""), ">");
  tap::equal("no reference", expand(v, "plain"), ">plain");
  tap::equal("one", expand(v, "1{$a}2"), ">1x2");
  tap::equal("next to each other", expand(v, "{$a}{$a}{$empty}{$a}"), ">xxx");
  tap::equal("not searched again", expand(v, "{$b-_9}"), ">{$a}");
  tap::equal("a reference put together", expand(v, "{{$a}$a}"), ">{x$a}");
  tap::equal("nested", expand(v, "{${$a}}"), ">{$x}");
  tap::equal("no name", expand(v, "{$}"), ">{$}");
  tap::equal("no end", expand(v, "{$a"), ">{$a");
  tap::equal("other characters", expand(v, "{$a b}{$\xC3\xA9}{ $a}{$ a}"), ">{$a b}{$\xC3\xA9}{ $a}{$ a}");
  tap::equal("unknown", expand(v, "{$a}{$c}"), "unknown");
  tap::equal("case", expand(v, "{$A}"), "unknown");
  tap::equal("at the limit", expand(v, "12{$a}", 3), ">12x");
  tap::equal("over the limit in the text", expand(v, "123", 2), "too long");
  tap::equal("over the limit in a value", expand(v, "12{$a}", 2), "too long");
  tap::equal("over the limit at a brace", expand(v, "12{$", 3), "too long");
  tap::equal("none defined", expand(Variables(), "{$a}"), "unknown");
  tap::check(Variables::in("x{$") && !Variables::in("{ $") && !Variables::in("{"), "in");
}

void test_expand(void **) {
  check_expand();
  TAP_FINISH();
}

void check_define() {
  Variables v;
  tap::check(v.empty() && v.encode().empty(), "empty");
  tap::check(v.define("a", "1") && v.define("a", "22") && *v.find("a") == "22", "the later value counts");
  tap::check(!v.find("b"), "not defined");

  // 2048 characters are 1536 bytes: two for the name with its length, two for the value's length.
  tap::check(v.define("a", std::string(1532, 'x')) && v.encode().size() == 2048, "at the limit");
  tap::check(!v.define("b", "") && !v.define("a", std::string(1533, 'x')), "over the limit");
  tap::check(v.find("a")->size() == 1532 && !v.find("b"), "nothing changed");
  tap::check(v.define("a", "") && v.define("b", std::string(1529, 'x')), "room again");

  for (std::string_view name : {"a", "A-Z_09", "-"}) tap::check(Variables::is_name(name), name);
  for (std::string_view name : {"", "a b", "a.b", "\xC3\xA9", "a\n"}) tap::check(!Variables::is_name(name),
      name);
}

void test_define(void **) {
  check_define();
  TAP_FINISH();
}

void check_encode() {
  Variables v = abc();
  Variables other;
  other.define("empty", "");
  other.define("b-_9", "y");
  other.define("a", "x");
  other.define("b-_9", "{$a}");
  tap::equal("one text for one set", other.encode(), v.encode());
  // Lengths and texts in the order of names, by hand: 1 a 1 x | 4 b-_9 4 {$a} | 5 empty 0
  tap::equal("format", v.encode(), hls::base64url_encode(std::string_view("\1a\1x\4b-_9\4{$a}\5empty\0",
             21)));

  Variables back;
  back.define("gone", "1");
  tap::check(back.decode(v.encode()), "decodes");
  tap::equal("the same again", back.encode(), v.encode());
  tap::check(!back.find("gone") && *back.find("b-_9") == "{$a}" && back.find("empty")->empty(), "values");
  tap::check(back.decode("") && back.empty(), "none");

  Variables bytes;
  bytes.define("a", std::string("\0\xFF\"\r\n", 5));
  bytes.define("b", std::string(200, 'y'));
  tap::check(back.decode(bytes.encode()) && *back.find("a") == *bytes.find("a") &&
             back.find("b")->size() == 200,
             "any bytes, long values");
}

void test_encode(void **) {
  check_encode();
  TAP_FINISH();
}

void check_hostile() {
  struct {
    const char *what;
    std::string bytes;
  } broken[] = {
      {"name cut off", "\2a"},
      {"no value", "\1a"},
      {"value cut off", "\1a\2x"},
      {"length cut off", "\1a\x80"},
      {"padded length", std::string("\1a\x81\0x", 5)},
      {"huge length", "\1a\xFF\xFF\xFF\xFF\x7Fx"},
      {"empty name", std::string("\0\1x", 3)},
      {"name of other characters", "\1.\1x"},
      {"twice", "\1a\1x\1a\1y"},
      {"not in order", "\1b\1x\1a\1y"},
      {"something behind", std::string("\1a\1x\0", 5)},
  };
  for (const auto &b : broken) {
    Variables v;
    v.define("old", "1");
    tap::check(!v.decode(hls::base64url_encode(b.bytes)) && v.empty(), b.what);
  }

  Variables v;
  std::string good = abc().encode();
  tap::check(!v.decode(good + "="), "padding");
  tap::check(!v.decode(good.substr(0, good.size() - 1)), "cut off");
  tap::check(!v.decode("a b"), "not base64url");
  std::string large;
  for (char c = 'a'; c <= 'z'; ++c) large.append("\1").append(1, c).append("\x7F").append(127, 'x');
  tap::check(!v.decode(hls::base64url_encode(large)) && v.empty(), "over the limit");
}

void test_hostile(void **) {
  check_hostile();
  TAP_FINISH();
}

std::string show(Variables &v, std::string_view list) {
  hls::Definition d = v.read_definition(list);
  std::string shown = d.ambiguous ? "ambiguous" : "";
  if (d.name) shown.append(" N:").append(*d.name);
  if (d.value) shown.append(" V:").append(*d.value);
  if (d.import) shown.append(" I:").append(*d.import);
  if (d.query_parameter) shown.append(" Q:").append(*d.query_parameter);
  return shown;
}

// 4.4.2.3: one of NAME, IMPORT and QUERYPARAM, and nothing twice.
void check_definitions() {
  Variables v;
  v.define("a", "1");
  v.define("b", "2");
  const std::string before = v.encode();
  tap::equal("name and value", show(v, "VALUE=\"x,y\",NAME=\"a\",X=1"), " N:a V:x,y");
  tap::equal("import", show(v, "IMPORT=\"a\""), " I:a");
  tap::equal("query", show(v, "QUERYPARAM=a"), " Q:a");
  tap::equal("none", show(v, "name=\"a\""), "");
  tap::equal("reading changes nothing", v.encode(), before);

  tap::equal("two values", show(v, "NAME=\"a\",VALUE=\"x\",VALUE=\"x\""), "ambiguous");
  tap::check(!v.find("a") && v.find("b"), "its name is forgotten, no other");
  v.define("a", "1");
  tap::equal("as if it had never been", v.encode(), before);
  tap::equal("two names", show(v, "NAME=\"a\",VALUE=\"x\",NAME=\"b\""), "ambiguous");
  tap::check(v.empty() && v.encode().empty(), "both are forgotten");
  for (const char *list : {"NAME=a,IMPORT=b", "IMPORT=a,QUERYPARAM=b", "QUERYPARAM=a,NAME=b,VALUE=x"}) {
    v.define("a", "1");
    v.define("b", "2");
    tap::equal(list, show(v, list), "ambiguous");
    tap::check(v.empty(), list);
  }
  const std::string large(500, 'x');   // what is forgotten takes no room
  for (int i = 0; i < 100; ++i) {
    tap::check(v.define("a", large), "room");
    show(v, "NAME=a,NAME=c");
  }
}
void test_definitions(void **) { check_definitions(); TAP_FINISH(); }

}  // namespace

TAP_MAIN(cmocka_unit_test(test_expand), cmocka_unit_test(test_define), cmocka_unit_test(test_encode),
         cmocka_unit_test(test_hostile), cmocka_unit_test(test_definitions))
