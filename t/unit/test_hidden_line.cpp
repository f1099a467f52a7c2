// What some players read as a line, a tag or an attribute. Beside cases by hand, PCRE is asked: the patterns
// here are written from what players do, and search a line as a whole.

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <random>
#include <string>
#include <vector>

#include "hidden_line.h"

#include "tap_main.h"

namespace {

using hls::HiddenLine;
using std::string;
using std::string_view;
using namespace std::literals;

bool hides(string_view line, bool blanks_end_lines = false) {
  HiddenLine hidden;
  hidden.begin(blanks_end_lines);
  return hidden.feed(line);
}

/// Fed in pieces of `sizes`, from the first again when they are used up.
bool hides_in_pieces(string_view line, const std::vector<std::size_t> &sizes, bool blanks_end_lines = false) {
  HiddenLine hidden;
  hidden.begin(blanks_end_lines);
  for (std::size_t i = 0; !line.empty(); ++i) {
    string piece(line.substr(0, sizes[i % sizes.size()]));
    if (hidden.feed(piece)) return true;
    line.remove_prefix(piece.size());
  }
  return false;
}

struct Sample {
  string_view line;
  bool hidden;
};

constexpr Sample kLines[] = {
    {"", false},
    {"EXTINF:4,title", false},
    {"EXTINF:4,http://x.example/ and //y", false},
    // Each of the bytes that may end a line.
    {"c\0http://x"sv, true},
    {"c\vhttp://x", true},
    {"c\fhttp://x", true},
    {"c\x1Chttp://x", true},
    {"c\x1Dhttp://x", true},
    {"c\x1Ehttp://x", true},
    {"c\xC2\x85http://x", true},
    {"c\xE2\x80\xA8http://x", true},
    {"c\xE2\x80\xA9http://x", true},
    {"\x0Bhttp://x", true},
    // Others do not.
    {"c\x1Fhttp://x", false},
    {"c\x01http://x", false},
    {"c\x08http://x", false},
    {"c\x7Fhttp://x", false},
    {"c\thttp://x", false},
    {"c http://x", false},
    {"c\xC2\xA0http://x", false},
    {"c\xC3\x85http://x", false},
    {"c\x85http://x", false},
    {"c\xE2\x80\x83http://x", false},
    {"c\xE2\x81\xA8http://x", false},
    {"c\xE2\x80\xAAhttp://x", false},
    {"c\xC2\x80\xA8http://x", false},
    // What follows.
    {"c\v", false},
    {"c\va.ts", false},
    {"c\v/a.ts", false},
    {"c\v./a//b.ts", false},
    {"c\v?//", false},
    {"c\vdata:,x", false},
    {"c\vurn:x:y", false},
    {"c\vfoo: bar", false},
    {"c\v.//x", false},
    {"c\vx http://x", false},
    {"c\v//x", true},
    {"c\v \t\v //x", true},
    {"c\v\xC2\xA0\xEF\xBB\xBF//x", true},
    {"c\vHTTPS://x", true},
    {"c\vskd://x", true},
    {"c\vcrypto+http://x", true},
    {"c\vcrypto:http://x", true},
    {"c\vhttp:x", true},
    {"c\vhttps:/x", true},
    {"c\vhttpss:/x", false},
    {"c\vhtt:/x", false},
    {"c\vxhttp:/x", false},
    {"c\v\\\\x", true},
    {"c\v/\\x", true},
    {"c\v/\t/x", true},
    {"c\vht\ttp\t:\t/x", true},
    {"c\v{$u}", true},
    {"c\vh{$u}", true},
    {"c\v/{$u}", true},
    {"c\v{u}", false},
    {"c\va/{$u}", false},
    {"c\v#EXT", true},
    {"c\v \xE2\x80\xA8#EXTINF", true},
    {"c\v#ext", false},
    {"c\v#EX", false},
    {"c\v##EXT", false},
    {"c\va#EXT", false},
    {"c#EXT", false},
    {"c\va\vb\v//", true},
    // Tags inside the line.
    {" #EXT-X-MEDIA:URI=\"http://x\"", true},
    {"#EXT-X-MEDIA:URI=//x", true},
    {"a#EXT-X-I-FRAME-STREAM-INF:x,//x", true},
    {"a#EXT-X-SESSION-DATA:x,//x", true},
    {"a#EXT-X-SESSION-KEY:x,//x", true},
    {"a#EXT-X-CONTENT-STEERING:x,//x", true},
    {"a#EXT-X-#EXT-X-MEDIA:x,//x", true},
    {"a##EXT-X-MEDIA:x,https:x", true},
    {"a#EXT-X-MEDIA:x,a:b/c//d", true},
    {"a#EXT-X-MEDIA:x,\\/d", true},
    {"a#EXT-X-MEDIA:x,{$u}", true},
    {"a#EXT-X-MEDIA:x,a/b.m3u8", false},
    {"a#EXT-X-MEDIA://", true},
    {"//#EXT-X-MEDIA:x,/", false},
    {"a#EXT-X-MEDIA-SEQUENCE:3,//x", false},
    {"a#EXT-X-MEDI:x,//x", false},
    {"a#ext-x-media:x,//x", false},
    {"a#EXT-X-MEDIA x,//x", false},
    {"a#EXT-X-MAP:URI=\"//x\"", false},
};

void check_lines() {
  for (const Sample &s : kLines) {
    tap::equal(tap::quoted(s.line), hides(s.line), s.hidden);
    // The quick look passes over nothing, wherever in its blocks a byte stands.
    for (std::size_t pad = 0; pad < 40; ++pad) {
      string line = string(pad, 'x') + string(s.line) + string(pad * 7 % 40, ' ');
      string whole = "#" + line;
      bool plain = HiddenLine::is_plain(whole.data(), whole.data() + whole.size());
      tap::check(!plain || !s.hidden, "plain " + tap::quoted(whole));
      bool anchored = s.line.find_first_of("#\v\0"sv) == 0;
      if (pad == 0 || !anchored || s.hidden) tap::equal(tap::quoted(line), hides(line), s.hidden);
    }
    string whole = "#" + string(s.line);
    bool plain = HiddenLine::is_plain(whole.data(), whole.data() + whole.size());
    tap::check(!plain || !s.hidden, "plain " + tap::quoted(whole));
    for (std::size_t first = 1; first <= s.line.size(); ++first) {
      tap::equal("split " + tap::quoted(s.line), hides_in_pieces(s.line, {first, s.line.size()}), s.hidden);
    }
    tap::equal("bytes " + tap::quoted(s.line), hides_in_pieces(s.line, {1}), s.hidden);
  }
  tap::check(hides("EXTINF:4,a //x", true) && hides("EXTINF:4,a\thttp:x", true), "blanks, where they count");
  tap::check(!hides("EXTINF:4,//x", true) && !hides("EXTINF:4,a /x", true), "only blanks count so");
  tap::check(hides_in_pieces("EXTINF:4,a http://x", {1}, true), "in pieces");
}
void test_lines(void **) { check_lines(); TAP_FINISH(); }

class Pattern {
public:
  explicit Pattern(const string &text) {
    int error;
    PCRE2_SIZE offset;
    code_ = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), PCRE2_DOTALL, &error,
                          &offset, nullptr);
    match_ = code_ ? pcre2_match_data_create_from_pattern(code_, nullptr) : nullptr;
    tap::check(code_, "pattern compiles");
  }
  Pattern(const Pattern &) = delete;
  ~Pattern() {
    pcre2_match_data_free(match_);
    pcre2_code_free(code_);
  }

  bool in(string_view text) const {
    auto subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    return pcre2_match(code_, subject, text.size(), 0, 0, match_, nullptr) >= 0;
  }

private:
  pcre2_code *code_;
  pcre2_match_data *match_;
};

// Lines of words that matter, against the patterns, in random pieces.
void check_random() {
  const string word = "[A-Za-z0-9][A-Za-z0-9+.\\-\\t]*+";
  const string trimmed = "[\\x00-\\x20\\x7F-\\xFF]*";
  const Pattern line("(?:[\\x00\\x0B\\x0C\\x1C-\\x1E]|\\xC2\\x85|\\xE2\\x80[\\xA8\\xA9])" + trimmed +
                     "(?:#EXT|(?:" + word + ":" + trimmed + ")*(?:(?i:h\\t*t\\t*t\\t*p\\t*(?:s\\t*)?:)|"
                     "[/\\\\]\\t*[/\\\\]|(?:[/\\\\]\\t*|" + word + ")?\\{\\$))");
  // Without TAB, '+', '-' and '.': what a word is in the midst of a line is simple then.
  const Pattern tag("#EXT-X-(?:MEDIA|I-FRAME-STREAM-INF|SESSION-DATA|SESSION-KEY|CONTENT-STEERING):.*"
                    "(?:[/\\\\][/\\\\]|\\{\\$|(?<![A-Za-z0-9-])(?i:https?):)");
  const string_view words[] = {
      "\0"sv, "\v", "\x1E", "\xC2", "\x85", "\xE2", "\x80", "\xA8", "\xE2\x80\xA8", " ", "h", "http", "https",
      "HTTP", ":", ":", "/", "/", "\\", "a", "s", "{", "$", "{$", "#", "#EXT", "#EX", "#EXT-X-MEDIA:", "=",
      "#EXT-X-SESSION-", "KEY:", "DATA:", "#EXT-X-CONTENT-STEERING", "#EXT-X-I-FRAME-STREAM-INF:", "\xC3\xA9",
      "\"", ",", "0123456789abcdef",
      "\t", "+", "-", "."};   // the last four: for lines without tags
  constexpr std::size_t kAll = sizeof(words) / sizeof(words[0]);
  std::mt19937 random(1);
  std::size_t found = 0;
  for (int i = 0; i < 200000; ++i) {
    string text;
    bool simple = i % 2;
    for (std::size_t n = random() % 12; n > 0; --n) text += words[random() % (simple ? kAll - 4 : kAll)];
    bool wanted = line.in(text) || (simple && tag.in(text));
    if (!simple && text.find("#EXT-X-") != text.npos) continue;
    found += wanted;
    if (hides(text) != wanted) tap::check(false, (wanted ? "missed: " : "found: ") + tap::quoted(text));
    string whole = "#" + text;
    bool plain = HiddenLine::is_plain(whole.data(), whole.data() + whole.size());
    if (plain && wanted) tap::check(false, "plain: " + tap::quoted(text));
    std::vector<std::size_t> sizes = {1 + random() % 3, 1 + random() % 20, 1 + random() % 40};
    if (hides_in_pieces(text, sizes) != wanted) tap::check(false, "in pieces: " + tap::quoted(text));
  }
  tap::check(found > 10000, "there were some of both");
}
void test_random(void **) { check_random(); TAP_FINISH(); }

void check_extinf() {
  for (string_view value : {" http://x", "http://x", "4 http://x", "4.5//x", "4.//x", "4\v//x", "4{$u}",
                            "\xC2\xA0" "4https:x", "4 \\\\x"}) {
    tap::check(hls::extinf_hides_reference(value, true), tap::quoted(value));
  }
  for (string_view value : {"4,http://x", "4,", "4", "", "-1 tvg-logo=\"http://x\",t", "4 a http://x",
                            "4;//x", "4 ,//x", "4e//x"}) {
    tap::check(!hls::extinf_hides_reference(value, true), tap::quoted(value));
  }
  tap::check(hls::extinf_hides_reference("4  ", false) && hls::extinf_hides_reference("4 htt", false),
             "open, and the line goes on");
  tap::check(!hls::extinf_hides_reference("4,  ", false), "decided");
}
void test_extinf(void **) { check_extinf(); TAP_FINISH(); }

struct List {
  string_view list;
  bool hidden;
  string_view name = "URI";
};

constexpr List kLists[] = {
    // Attributes that are found need no search.
    {"", false},
    {"URI=\"http://x\"", false},
    {"A=1,URI=http://x", false},
    {"A=\"x\"URI=\"http://x\"", false},
    {"A=1 URI = \"http://x\",URI=\"//y\"", false},
    // Those of other names.
    {"X-COM-URI=\"https://x\"", false},
    {"COM.URI=\"https://x\",SERVER_URI=//x", false},
    {"URIS=\"https://x\",URI-X=\"https://x\"", false},
    {"A=1,X-ASSET-URI=\"https://x\"", false, "X-URI"},
    // Inside another value.
    {"NAME= \"foo,URI=\"http://x/a", true},
    {"A=\"\\\",B=\",URI=\"http://x/a\"", true},
    {"A=\"URI=http://x\"", true},
    {"A=\"x,URI='http://x',\"", true},
    {"A=\"x, URI\t= //x\"", true},
    {"A=\"x,URI={$u}\"", true},
    {"A=\"x,URI=https:x\"", true},
    {"A=\"x,X-URI=http://x\"", true, "X-URI"},
    {"A=\"x,URI='y',\"", false},
    {"A=\"URI=\",B=\"http://x\"", false},
    {"A=\"x,URI=y http://x\"", false},
    {"A=\"x,URI http://x\"", false},
    {"A=\"https://x/?a=b&URI=https://y\"", false},
    {"A=\"https://x/URI=https://y\"", false},
    // One player searches for the name and a quote, whatever stands before it.
    {"A=\"fooURI=\"http://x/a\"", true},
    {"A=fooURI=\"http://x/a\"", true},
    {"A=fooURI=http://x/a", false},
    // Behind what is no attribute.
    {"\vURI=\"http://x\"", true},
    {"\fURI=http://x", true},
    {"A=1,\xC2\xA0URI=\"http://x\"", true},
    {"\xEF\xBB\xBFURI=\"http://x\"", true},
    {"URI\v=\"http://x\"", true},
    {"\"URI=http://x\"", true},
    {"A,\"b,URI=\"http://x\"", true},
    {"(URI=\"http://x\"", true},
    {"\\URI=http://x", true},
    // Its own value is rewritten as a whole.
    {"URI=\"a,URI=http://x\"", false},
};

void check_lists() {
  for (const List &c : kLists) {
    tap::equal(tap::quoted(c.list), hls::hides_attribute(c.list, c.name, false), c.hidden);
    string behind = "A=\"URI\",URI=\"u\"," + string(c.list);
    tap::equal(tap::quoted(behind), hls::hides_attribute(behind, c.name, false), c.hidden);
  }
  tap::check(hls::hides_attribute("URI=\"a,URI=http://x\"", "URI", true), "its own value, where asked");
  tap::check(!hls::hides_attribute("URI=\"http://x\",URI=\"a,URI=y\"", "URI", true), "and no more than that");
  tap::check(hls::value_hides_attribute("data:,URI=//x", "URI"), "a value");
  tap::check(!hls::value_hides_attribute("data:,URI=x", "URI"), "a value without");
}
void test_lists(void **) { check_lists(); TAP_FINISH(); }

}  // namespace

TAP_MAIN(cmocka_unit_test(test_lines), cmocka_unit_test(test_random), cmocka_unit_test(test_extinf),
         cmocka_unit_test(test_lists))
