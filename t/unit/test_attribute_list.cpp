// Attribute lists: RFC 8216bis 4.2, and how players read what it forbids.

#include <string>

#include "attribute_list.h"

#include "tap_main.h"

namespace {

using namespace std::string_view_literals;

// Every attribute as name=value|; "q" before the value: quoted, "u": unterminated.
std::string read(std::string_view text) {
  std::string all;
  hls::AttributeList list(text);
  hls::Attribute attribute;
  while (list.next(attribute)) {
    all.append(attribute.name).append("=").append(attribute.quoted ? "q:" : "").append(attribute.unterminated
        ? "u:" : "");
    all.append(attribute.value).append("|");
  }
  return all;
}

void test_legal(void **) {
  tap::equal("empty", read(""), "");
  tap::equal("all kinds of values",
             read("A=1,B-9=0xFF,C=-1.5,D=\"s\",E=ENUM,F=1920x1080,G=\"\""),
             "A=1|B-9=0xFF|C=-1.5|D=q:s|E=ENUM|F=1920x1080|G=q:|");
  tap::equal("comma and '=' in quotes", read("A=\"x,B=1\",B=2"), "A=q:x,B=1|B=2|");
  tap::equal("'=' in a value", read("A=x==,B=a=b"), "A=x==|B=a=b|");
  TAP_FINISH();
}

void test_blanks(void **) {
  tap::equal("around everything", read(" \tA \t= \"x\" , B= 1\t,C =2 "), "A=q:x|B=1|C=2|");
  tap::equal("blanks and commas only", read(" ,, \t,"), "");
  tap::equal("empty value", read("A=,B= ,C="), "A=|B=|C=|");
  tap::equal("inside an unquoted value", read("A=x y,B=1"), "A=x|B=1|");
  tap::equal("a blank ends an unquoted value, a name may follow", read("A=x B=1"), "A=x|B=1|");
  TAP_FINISH();
}

void test_quotes(void **) {
  tap::equal("unterminated", read("A=1,B=\"x,C=1 "), "A=1|B=q:u:x,C=1 |");
  tap::equal("unterminated and empty", read("A=\""), "A=q:u:|");
  tap::equal("single quotes", read("A='x,y',B='z'"), "A='x|B='z'|");
  tap::equal("a backslash escapes nothing", read("A=\"x\\\",B=\"y\""), "A=q:x\\|B=q:y|");
  tap::equal("text behind the quote", read("A=\"x\"junk,B=1"), "A=q:x|B=1|");
  tap::equal("a name behind the quote", read("A=\"x\"B=\"y\" C=1"), "A=q:x|B=q:y|C=1|");
  tap::equal("quotes in an unquoted value", read("A=x\"y,B=1"), "A=x\"y|B=1|");
  tap::equal("quoted text without a name hides what is in it", read("\"A=1,B=2\",C=3"), "C=3|");
  tap::equal("a quote in a name", read("A\"B=1,\"C=2"), "C=2|");
  tap::equal("an unterminated quote without a name", read("A=1,\"B=2,C=3"), "A=1|");
  tap::equal("typographic quotes", read("A=\xE2\x80\x9Cx,B=1\xE2\x80\x9D"),
             "A=\xE2\x80\x9Cx|B=1\xE2\x80\x9D|");
  TAP_FINISH();
}

void test_names(void **) {
  tap::equal("duplicates", read("A=1,A=2,A=\"3\""), "A=1|A=2|A=q:3|");
  tap::equal("tokens without '='", read("A,B=1,C D,E=2,F"), "B=1|E=2|");
  tap::equal("no name", read("=1,=\"x\",A=2"), "=1|=q:x|A=2|");
  tap::equal("the token before '=' is the name", read("junk A=1"), "A=1|");
  tap::equal("names are as they are", read("uri=1,X-URI=2,\xC3\xA9=3"), "uri=1|X-URI=2|\xC3\xA9=3|");
  tap::equal("NUL is a byte like others", read("A\0=\"\0\",B=\0"sv), "A\0=q:\0|B=\0|"sv);
  TAP_FINISH();
}

void test_trim(void **) {
  tap::equal("both ends", hls::trim_blanks(" \ta b\t "), "a b");
  tap::equal("blanks only", hls::trim_blanks(" \t "), "");
  tap::equal("no other white space", hls::trim_blanks("\x0b a\xC2\xA0"), "\x0b a\xC2\xA0");
  TAP_FINISH();
}

}  // namespace

TAP_MAIN(cmocka_unit_test(test_legal), cmocka_unit_test(test_blanks), cmocka_unit_test(test_quotes),
         cmocka_unit_test(test_names), cmocka_unit_test(test_trim))
