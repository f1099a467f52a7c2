#include "sniff.h"

#include <cstdint>
#include <limits>

namespace hls {
namespace {

constexpr std::string_view kBom = "\xEF\xBB\xBF";
constexpr std::string_view kTagStart = "#EXT";

// In lower case. What an origin sends instead of media: a page, or a fragment of one.
constexpr std::string_view kHtml[] = {
    "<!doctype html", "<html", "<head", "<body",   "<script", "<meta", "<title",
    "<!--",           "<div",  "<h1",   "<iframe", "<p>",     "<br",
};

enum class Match { no, partial, full };

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

/// `text` begins with `wanted`, or with as much of it as there is.
Match match_prefix(std::string_view text, std::string_view wanted, bool fold) {
  for (std::size_t i = 0; i < wanted.size(); i++) {
    if (i == text.size()) return Match::partial;
    if ((fold ? lower(text[i]) : text[i]) != wanted[i]) return Match::no;
  }
  return Match::full;
}

Match match_html(std::string_view text) {
  Match best = Match::no;
  for (std::string_view tag : kHtml) {
    Match m = match_prefix(text, tag, true);
    if (m == Match::full) return m;
    if (m == Match::partial) best = m;
  }
  return best;
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// White space and controls beside the blanks that players skip in front of the header, each by its own idea
// of white space, and further byte order marks.
constexpr std::string_view kOddBlanks[] = {
    "\v",           "\f",           "\x1C",         "\x1D",         "\x1E",         "\x1F",
    "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81", "\xE2\x80\x82",
    "\xE2\x80\x83", "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86", "\xE2\x80\x87", "\xE2\x80\x88",
    "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F",
    "\xE3\x80\x80", kBom,
};

/// `size`: of the odd blank that `text` begins with, where it is a full match.
Match match_odd_blank(std::string_view text, std::size_t &size) {
  Match best = Match::no;
  for (std::string_view blank : kOddBlanks) {
    Match m = match_prefix(text, blank, false);
    if (m == Match::no) continue;
    best = m;
    size = blank.size();
    if (m == Match::full) break;
  }
  return best;
}

/// Text in UTF-16 by its byte order mark, which browsers go by whatever the Content-Type says (WHATWG
/// Encoding, "decode"): a playlist, JSON, or blanks before either. A frame of MPEG audio can begin with
/// FF FE, too, but goes on otherwise.
Match match_utf16(std::string_view text) {
  Match big = match_prefix(text, "\xFE\xFF", false), little = match_prefix(text, "\xFF\xFE", false);
  if (big == Match::no && little == Match::no) return Match::no;
  if (text.size() < 3) return Match::partial;
  char first = text[2];
  auto begins_text = [](char c) {
    return is_blank(c) || c == '\v' || c == '\f' || c == '#' || c == '{' || c == '[';
  };
  bool possible = big == Match::full ? first == '\0' : begins_text(first);
  if (!possible) return Match::no;
  if (text.size() < 4) return Match::partial;
  return (big == Match::full ? begins_text(text[3]) : text[3] == '\0') ? Match::full : Match::no;
}

/// What follows the blanks that every player skips, `skipped` bytes of them.
BodyKind sniff_odd_blanks(std::string_view text, std::size_t skipped) {
  while (!text.empty() && text[0] != '#') {
    std::size_t size = 1;
    Match m = is_blank(text[0]) ? Match::full : match_odd_blank(text, size);
    if (m == Match::no) return BodyKind::other;
    if (m == Match::partial) return BodyKind::undecided;
    skipped += size;
    if (skipped > kMaxBlanks) return BodyKind::disguised;
    text.remove_prefix(size);
  }
  switch (match_prefix(text, kTagStart, false)) {
  case Match::full: return BodyKind::disguised;
  case Match::partial: return BodyKind::undecided;
  case Match::no: break;
  }
  return BodyKind::other;
}

/// The answer that holds whatever follows; undecided where that depends on what follows.
BodyKind sniff_open(std::string_view text) {
  switch (match_utf16(text)) {
  case Match::full: return BodyKind::disguised;
  case Match::partial: return BodyKind::undecided;
  case Match::no: break;
  }
  switch (match_prefix(text, kBom, false)) {
  case Match::full: text.remove_prefix(kBom.size()); break;
  case Match::partial: return BodyKind::undecided;
  case Match::no: break;
  }

  std::size_t blanks = 0;
  while (blanks < text.size() && is_blank(text[blanks])) {
    if (++blanks > kMaxBlanks) return BodyKind::disguised;
  }
  text.remove_prefix(blanks);
  if (text.empty()) return BodyKind::undecided;

  if (text[0] == '{' || text[0] == '[') return BodyKind::json;
  if (text[0] == '#') {
    Match m = match_prefix(text, kTagStart, false);
    if (m == Match::no) return BodyKind::other;
    return m == Match::full ? BodyKind::playlist : BodyKind::undecided;
  }
  std::size_t size = 0;
  if (match_odd_blank(text, size) != Match::no) return sniff_odd_blanks(text, blanks);
  switch (match_html(text)) {
  case Match::full: return BodyKind::html;
  case Match::partial: return BodyKind::undecided;
  case Match::no: break;
  }
  return BodyKind::other;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

enum class Step { ok, truncated, invalid };

/// CR LF, or LF alone, as nginx's parser takes it: what it will decode is what is looked at here.
Step take_line_end(std::string_view &raw) {
  if (raw.empty()) return Step::truncated;
  if (raw[0] == '\n') {
    raw.remove_prefix(1);
    return Step::ok;
  }
  if (raw[0] != '\r') return Step::invalid;
  if (raw.size() == 1) return Step::truncated;
  if (raw[1] != '\n') return Step::invalid;
  raw.remove_prefix(2);
  return Step::ok;
}

/// The line of a chunk's size, with its extensions.
Step take_chunk_size(std::string_view &raw, std::uint64_t &size) {
  constexpr std::uint64_t kLimit = std::numeric_limits<std::int64_t>::max() / 16;
  if (raw.empty()) return Step::truncated;
  if (hex_value(raw[0]) < 0) return Step::invalid;

  size = 0;
  std::size_t i = 0;
  for (; i < raw.size() && hex_value(raw[i]) >= 0; i++) {
    if (size > kLimit) return Step::invalid;
    size = size * 16 + static_cast<std::uint64_t>(hex_value(raw[i]));
  }
  raw.remove_prefix(i);
  if (raw.empty()) return Step::truncated;
  if (size > kLimit) return Step::invalid;

  if (raw[0] == ';' || raw[0] == ' ' || raw[0] == '\t') {
    std::size_t end = raw.find_first_of("\r\n");
    if (end == raw.npos) return Step::truncated;
    raw.remove_prefix(end);
  }
  return take_line_end(raw);
}

}  // namespace

BodyKind sniff(std::string_view prefix, bool complete) {
  BodyKind kind = sniff_open(prefix);
  return kind == BodyKind::undecided && complete ? BodyKind::other : kind;
}

bool unchunk_prefix(std::string_view raw, std::string &body, bool &complete) {
  complete = false;
  for (;;) {
    std::uint64_t size = 0;
    Step step = take_chunk_size(raw, size);
    if (step != Step::ok) return step == Step::truncated;
    if (size == 0) {
      complete = true;   // trailers may follow: they are no part of the body
      return true;
    }
    std::string_view data = raw.substr(0, size < raw.size() ? static_cast<std::size_t>(size) : raw.size());
    body.append(data);
    raw.remove_prefix(data.size());
    if (data.size() < size) return true;
    step = take_line_end(raw);
    if (step != Step::ok) return step == Step::truncated;
  }
}

}  // namespace hls
