#include "sniff.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tap_main.h"

namespace {

using hls::BodyKind;
using std::string;
using std::string_view;
using namespace std::literals;

const char *name_of(BodyKind kind) {
  switch (kind) {
  case BodyKind::undecided: return "undecided";
  case BodyKind::playlist: return "playlist";
  case BodyKind::html: return "html";
  case BodyKind::json: return "json";
  case BodyKind::disguised: return "disguised";
  case BodyKind::other: return "other";
  }
  return "?";
}

#define BOM "\xEF\xBB\xBF"

/// A whole body, what it is, and the fewest of its bytes that nothing that follows can contradict;
/// 0: only its end shows it.
struct Sample {
  string body;
  BodyKind kind;
  std::size_t enough;
};

std::vector<Sample> playlists() {
  const BodyKind kind = BodyKind::playlist;
  return {
      {"#EXTM3U", kind, 4},
      {BOM "#EXTM3U", kind, 7},
      {" \r\n\t#EXTM3U", kind, 8},
      {"#EXTM3U\n", kind, 4},
      {"#EXTM3U\r\n#EXTINF:1,\na.ts", kind, 4},
      {"#EXTM3U\r#EXTINF:1,\ra.ts", kind, 4},
      {"#EXTM3U url-tvg=\"http://x/\"\n", kind, 4},
      {"#EXTM3U\t\n", kind, 4},
      {"#EXTM3U:x\n", kind, 4},
      {"#EXTM3U#EXTINF\n", kind, 4},
      {"#EXTM3U\0\n"s, kind, 4},
      {"#EXTM3U\xC3\xA9\n", kind, 4},
      {BOM "#EXTM3U\n", kind, 7},
      {BOM "\r\n\r\n #EXTM3U\n", kind, 12},
      {string(512, ' ') + "#EXTM3U\n", kind, 516},
      {BOM + string(512, '\n') + "#EXTM3U\n", kind, 519},
      // hls.js looks at seven bytes alone, other players at none.
      {"#EXTINF:1,\n#EXTM3U\n", kind, 4},
      {"#EXT-X-VERSION:3\n", kind, 4},
      {"#EXT", kind, 4},
      {BOM "\n#EXTM3\n", kind, 8},
      {"#EXTM3U8\n", kind, 4},
      {"#EXTM3U-X\n", kind, 4},
      {"#EXTM3U_X\n", kind, 4},
      {"#EXTM3Ux\n", kind, 4},
  };
}

std::vector<Sample> disguised() {
  const BodyKind kind = BodyKind::disguised;
  return {
      {string(513, ' ') + "#EXTM3U\n", kind, 513},
      {BOM + string(513, '\n') + "#EXTM3U\n", kind, 516},
      {string(600, '\t'), kind, 513},
      // In UTF-16.
      {"\xFF\xFE#\0E\0X\0T\0"s, kind, 4},
      {"\xFE\xFF\0#\0E\0X\0T"s, kind, 4},
      {"\xFF\xFE{\0"s, kind, 4},
      {"\xFE\xFF\0["s, kind, 4},
      {"\xFF\xFE\n\0#\0"s, kind, 4},
      {"\xFE\xFF\0 \0#"s, kind, 4},
      {"\xFF\xFE\f\0#\0"s, kind, 4},
      // Behind other white space.
      {"\v#EXTM3U\n", kind, 5},
      {"\f#EXT-X-VERSION:3\n", kind, 5},
      {" \n\x1C\x1D\x1E\x1F \r\n#EXTM3U\n", kind, 13},
      {"\xC2\x85#EXTM3U\n", kind, 6},
      {"\xC2\xA0#EXTM3U\n", kind, 6},
      {"\xE2\x80\xA8#EXTM3U\n", kind, 7},
      {"\xE2\x80\xA9\n#EXTM3U\n", kind, 8},
      {"\xE2\x80\x83#EXTM3U\n", kind, 7},
      {"\xE3\x80\x80#EXTM3U\n", kind, 7},
      {BOM BOM "#EXTM3U\n", kind, 10},
      {" " BOM "#EXTM3U\n", kind, 8},
      {BOM " \v" BOM "\t#EXTM3U\n", kind, 13},
      {string(511, ' ') + "\v#EXTM3U\n", kind, 516},
      {string(512, ' ') + "\v#EXTM3U\n", kind, 513},
      {"\v" + string(511, ' ') + "#EXTM3U\n", kind, 516},
      {"\v" + string(600, ' '), kind, 513},
      {string(511, ' ') + "\xC2\xA0#EXTM3U\n", kind, 513},
  };
}

std::vector<Sample> others() {
  const BodyKind kind = BodyKind::other;
  return {
      {"", kind, 0},
      {" \r\n", kind, 0},
      {BOM, kind, 0},
      {"\xEF\xBB", kind, 0},
      {"\xEF\xBBx", kind, 3},
      {BOM BOM "x", kind, 7},
      {BOM BOM "{}", kind, 7},
      {BOM "\xFF\xFE#\0"s, kind, 4},
      {"\v#EXX", kind, 5},
      {"\v#", kind, 0},
      {"\v", kind, 0},
      {"\f<html>", kind, 2},
      {"\xE3\x80\x81#EXTM3U\n", kind, 3},
      {"\xC3\xA9", kind, 1},
      {"\x1F\x8B\x08", kind, 2},
      {"\xFF\xFB\x90\x64", kind, 2},
      {"\xFF\xF1\x50\x80", kind, 2},
      {"\xFF\xFE\x10\xC4", kind, 3},
      {"\xFF\xFE#\xC4", kind, 4},
      {"\xFE\xFF#\0"s, kind, 3},
      {"\xFE\xFF\0x"s, kind, 4},
      {"\xFF\xFE", kind, 0},
      {"\0#EXTM3U\n"s, kind, 1},
      {"#", kind, 0},
      {"#EX", kind, 0},
      {"#EXM3U\n", kind, 4},
      {"#extm3u\n", kind, 2},
      {"##EXTM3U\n", kind, 2},
      {"G@\x01", kind, 1},
      {"\0\0\0\x18" "ftypmp42"s, kind, 1},
      {"\0\0\x01\xBA"s, kind, 1},
      {"ID3\x04", kind, 1},
      {"WEBVTT\n", kind, 1},
      {"http://x/a.ts\n", kind, 1},
      {"<", kind, 0},
      {"<!-", kind, 0},
      {"<!DOCTYPE svg", kind, 11},
      {"<?xml version=\"1.0\"?><html>", kind, 2},
      {"<MPD xmlns", kind, 3},
      {"<tt xmlns", kind, 3},
      {"<SmoothStreamingMedia", kind, 3},
      {"<p begin=\"1\">", kind, 3},
      {"< html>", kind, 2},
  };
}

std::vector<Sample> pages() {
  const BodyKind kind = BodyKind::html;
  return {
      {"<!DOCTYPE html><html>", kind, 14},
      {"<!doctype HTML PUBLIC", kind, 14},
      {"<html lang=en>", kind, 5},
      {"\r\n\t <HTML>", kind, 9},
      {BOM "<html>", kind, 8},
      {"<head>", kind, 5},
      {"<body>", kind, 5},
      {"<script>", kind, 7},
      {"<meta http-equiv=refresh>", kind, 5},
      {"<title>403 Forbidden</title>", kind, 6},
      {"<!-- cached --><html>", kind, 4},
      {"<iframe src=x>", kind, 7},
      {"<div>", kind, 4},
      {"<h1>Forbidden</h1>", kind, 3},
      {"<p>Not found", kind, 3},
      {"<br/>", kind, 3},
      {"<BR>", kind, 3},
      {string(512, ' ') + "<!doctype html>", kind, 526},
  };
}

std::vector<Sample> json() {
  const BodyKind kind = BodyKind::json;
  return {
      {"{\"ASSETS\":[]}", kind, 1}, {"[1]", kind, 1},         {" \n{", kind, 3},
      {BOM "{}", kind, 4},          {BOM " \t[", kind, 6},    {string(512, '\n') + "{}", kind, 513},
  };
}

std::vector<Sample> samples() {
  std::vector<Sample> all = playlists();
  for (const auto &more : {disguised(), others(), pages(), json()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

void check_samples() {
  for (const Sample &s : samples()) {
    const string what = tap::quoted(s.body.substr(0, 60));
    tap::equal(what, name_of(hls::sniff(s.body, true)), name_of(s.kind));
    for (std::size_t size = 0; size <= s.body.size(); size++) {
      BodyKind wanted = s.enough && size >= s.enough ? s.kind : BodyKind::undecided;
      BodyKind got = hls::sniff(string_view(s.body).substr(0, size), false);
      tap::equal(what + " first " + std::to_string(size), name_of(got), name_of(wanted));
    }
  }
}
void test_samples(void **) { check_samples(); TAP_FINISH(); }

// "undecided" is said exactly when two continuations would be judged differently; no more than that, since
// headers wait for the answer, and no less.
void check_undecided_is_exact() {
  const std::vector<Sample> all = samples();
  for (const Sample &s : all) {
    for (std::size_t size = 0; size <= s.body.size(); size++) {
      const string prefix = s.body.substr(0, size);
      const BodyKind now = hls::sniff(prefix, false);
      const BodyKind whole = hls::sniff(prefix, true);
      bool differ = false;
      for (const Sample &tail : all) {
        // Tails are the other samples, and what is left of them behind the bytes that they share.
        std::size_t common = std::min(size, tail.body.size());
        for (const string &more : {tail.body, tail.body.substr(common), "x" + tail.body}) {
          differ = differ || hls::sniff(prefix + more, true) != whole;
        }
      }
      tap::check((now == BodyKind::undecided) == differ, "undecided: " + tap::quoted(prefix.substr(0, 60)));
      if (now != BodyKind::undecided) tap::equal("final", name_of(now), name_of(whole));
    }
  }
}
void test_undecided_is_exact(void **) { check_undecided_is_exact(); TAP_FINISH(); }

// Whatever the bytes: with kSniffBytes of them there is an answer.
void check_bound() {
  for (const Sample &s : samples()) {
    for (char filler : {' ', '\n', '#', '<', '{', '\xEF', 'x', '\0', '\v'}) {
      string body = s.body + string(hls::kSniffBytes, filler);
      tap::check(hls::sniff(string_view(body).substr(0, hls::kSniffBytes), false) != BodyKind::undecided,
                 tap::quoted(body.substr(0, 60)));
    }
  }
}
void test_bound(void **) { check_bound(); TAP_FINISH(); }

/// "body", "body." with the last chunk seen, "<no>".
string unchunk(string_view raw) {
  string body;
  bool complete = true;
  if (!hls::unchunk_prefix(raw, body, complete)) return "<no>";
  return body + (complete ? "." : "");
}

void check_unchunk() {
  static constexpr struct { string_view raw, wanted; } kCases[] = {
      {"", ""},
      {"5", ""},
      {"5\r", ""},
      {"5\r\n", ""},
      {"5\r\nab", "ab"},
      {"5\r\nabcde", "abcde"},
      {"5\r\nabcde\r", "abcde"},
      {"5\r\nabcde\r\n", "abcde"},
      {"5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n", "abcdefgh."},
      {"5\r\nabcde\r\n0", "abcde"},
      {"5\r\nabcde\r\n0\r", "abcde"},
      {"5\r\nabcde\r\n0\r\n", "abcde."},
      {"0\r\nTrailer: x\r\n\r\n", "."},
      {"000\r\n\r\n", "."},
      {"0;x\r\n", "."},
      {"a\r\n0123456789\r\nA\r\n0123456789\r\n", "01234567890123456789"},
      {"0a;name=\"value\"\r\n0123456789\r\n", "0123456789"},
      {"2 \r\nab\r\n", "ab"},
      {"2\t;x\r\nab\r\n", "ab"},
      {"2;x", ""},
      {"2;x\r", ""},
      {"2\nab\n1\nc\n0\n\n", "abc."},            // nginx takes LF alone, too
      {"2\r\n\r\n\r\n1\r\nx", "\r\nx"},
      {"7fffffffffffff\r\nab", "ab"},
      {"7ffffffffffffff\r\nab", "ab"},           // INT64_MAX / 16: nginx's limit
      {"7fffffffffffffff\r\nab", "<no>"},
      {"800000000000000\r\nab", "<no>"},
      {"8000000000000000\r\nab", "<no>"},
      {"ffffffffffffffffffffffff\r\nab", "<no>"},
      {"10000000000000000\r\nab", "<no>"},
      {"x", "<no>"},
      {"\r\n", "<no>"},
      {" 5\r\n", "<no>"},
      {"-5\r\n", "<no>"},
      {"+5\r\n", "<no>"},
      {"0x5\r\n", "<no>"},
      {"5x\r\n", "<no>"},
      {"5\rx", "<no>"},
      {"5;x\rx", "<no>"},
      {"2\r\nabc", "<no>"},
      {"2\r\nab\rx", "<no>"},
      {"2\r\nab\r\n\r\n", "<no>"},
      {"#EXTM3U\n", "<no>"},
      {"<html>", "<no>"},
  };
  for (const auto &c : kCases) tap::equal(tap::quoted(c.raw), unchunk(c.raw), c.wanted);

  string body = "kept ";
  bool complete = false;
  tap::check(hls::unchunk_prefix("1\r\nx\r\n0\r\n\r\n", body, complete) && complete, "appends");
  tap::equal("appends", body, "kept x");
}
void test_unchunk(void **) { check_unchunk(); TAP_FINISH(); }

// Every cut of a well-formed message is well-formed so far, and shows a prefix of the body.
void check_unchunk_prefixes() {
  constexpr string_view kRaw = "3;a=b\r\n#EX\r\n4\nTM3U\r\n01\r\n\n\r\n0;c\r\nT: u\r\n\r\n";
  constexpr string_view kBody = "#EXTM3U\n";
  string before;
  for (std::size_t size = 0; size <= kRaw.size(); size++) {
    string body;
    bool complete = false;
    tap::check(hls::unchunk_prefix(kRaw.substr(0, size), body, complete), "cut at " + std::to_string(size));
    tap::equal("cut at " + std::to_string(size), body, kBody.substr(0, body.size()));
    tap::check(body.size() >= before.size() && (!complete || body == kBody), "only grows");
    before = body;
  }
  tap::equal("whole", before, kBody);
}
void test_unchunk_prefixes(void **) { check_unchunk_prefixes(); TAP_FINISH(); }

}  // namespace

TAP_MAIN(cmocka_unit_test(test_samples), cmocka_unit_test(test_undecided_is_exact),
         cmocka_unit_test(test_bound), cmocka_unit_test(test_unchunk),
         cmocka_unit_test(test_unchunk_prefixes))
