// The playlist rewriter. Input: a playlist.

#include <algorithm>
#include <vector>

#include "fuzz.h"
#include "playlist_rewriter.h"
#include "url.h"

namespace {

using fuzz::fixture;
using hls::RewriteError;
using std::string;
using std::string_view;

struct Result {
  string text;
  RewriteError error = RewriteError::none;
  std::uint64_t line = 0;
};

const hls::Url &base() {
  static const hls::Url url = [] {
    hls::Url u;
    hls::parse_url("https://up.example/live/ch1/index.m3u8?tok=A%2FB&q=v%20w", u);
    return u;
  }();
  return url;
}

string inherited() {
  hls::Variables variables;
  variables.define("host", "https://cdn.example");
  variables.define("v", "1");
  return variables.encode();
}

/// Feeds pieces whose lengths `next` gives.
template <typename Next>
Result rewrite(string_view playlist, bool tight, Next next) {
  static const string variables = inherited();
  hls::LinkWriter links(fixture().scope);
  hls::PlaylistRewriter rewriter(links, base(), variables);
  fuzz::Collector out(tight);
  Result result;
  while (!playlist.empty() && result.error == RewriteError::none) {
    // A copy of its own, so that a sanitizer sees reads beyond the piece and after its time.
    string_view part = playlist.substr(0, next());
    std::vector<char> piece(part.begin(), part.end());
    string_view in(piece.data(), piece.size());
    while (!in.empty() && result.error == RewriteError::none) {
      std::size_t before = in.size();
      if (out.full()) out.make_room();
      result.error = rewriter.feed(in, out);
      FUZZ_REQUIRE(in.size() < before || result.error != RewriteError::none);
    }
    playlist.remove_prefix(piece.size());
  }
  if (result.error == RewriteError::none) result.error = rewriter.finish(out);
  result.line = rewriter.line_number();
  result.text = out.take();
  return result;
}

/// The link that `text` begins with; empty: none.
string_view link_at(string_view text) {
  for (string_view start : {fuzz::kPublicBase, fuzz::kBase}) {
    if (text.substr(0, start.size()) != start) continue;
    std::size_t size = start.size();
    while (size < text.size() && fuzz::is_link_byte(text[size])) size++;
    return text.substr(0, size);
  }
  return {};
}

/// A link of ours opens, or is one of those that lead nowhere on purpose: it has no arguments.
void require_opens(string_view link) {
  link.remove_prefix(link[0] == '/' ? fuzz::kBase.size() : fuzz::kPublicBase.size());
  std::size_t question = link.find('?');
  if (question == link.npos) return;
  hls::Link opened;
  const char *reason = nullptr;
  FUZZ_REQUIRE(hls::open_link(link.substr(0, question), link.substr(question + 1), fixture().keys,
                              fixture().scope.bind, fuzz::kNow, opened, reason) == hls::LinkState::ok);
}

/// What is no link stands in the input, in the same order. Not told apart here: lines that vanish and
/// EXT-X-DEFINE lines that are written anew.
void require_copied(string_view input, string_view output) {
  std::vector<string_view> pieces;
  for (;;) {
    std::size_t end = std::min(output.find(fuzz::kPublicBase), output.find(fuzz::kBase));
    pieces.push_back(output.substr(0, end));
    output.remove_prefix(pieces.back().size());
    if (output.empty()) break;
    string_view link = link_at(output);
    require_opens(link);
    output.remove_prefix(link.size());
  }
  if (input.find("EXT-X-CONTENT-STEERING") != input.npos || input.find("QUERYPARAM") != input.npos) return;

  string_view first = pieces.front();
  FUZZ_REQUIRE(input.substr(0, first.size()) == first);
  if (pieces.size() == 1) {
    FUZZ_REQUIRE(input == first);
    return;
  }
  input.remove_prefix(first.size());
  for (std::size_t i = 1; i + 1 < pieces.size(); i++) {
    std::size_t found = input.find(pieces[i]);
    FUZZ_REQUIRE(found != input.npos);
    input.remove_prefix(found + pieces[i].size());
  }
  string_view last = pieces.back();
  FUZZ_REQUIRE(last.size() <= input.size() && input.substr(input.size() - last.size()) == last);
}

/// Fails closed: no URI line is left that a player would fetch over HTTP.
void require_no_http_line(string_view output) {
  if (output.substr(0, 3) == "\xEF\xBB\xBF") output.remove_prefix(3);
  while (!output.empty()) {
    std::size_t end = std::min(output.find_first_of("\r\n"), output.size());
    string_view line = output.substr(0, end);
    output.remove_prefix(std::min(end + 1, output.size()));
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    if (line.empty() || line[0] == '#' || !link_at(line).empty()) continue;
    if (line.find("{$") != line.npos) continue;   // what it is, its variables say
    hls::Url url;
    hls::Reference kind = hls::resolve_reference(base(), line, url);
    FUZZ_REQUIRE(kind == hls::Reference::other || kind == hls::Reference::same_document);
  }
}

/// What a player would see that ends lines at more bytes than CR and LF, or that finds its tags anywhere.
void require_nothing_hidden(string_view output) {
  static constexpr string_view kLineEnds[] = {{"\0", 1}, "\v", "\f", "\x1C", "\x1D", "\x1E", "\xC2\x85",
                                              "\xE2\x80\xA8", "\xE2\x80\xA9"};
  for (string_view line_end : kLineEnds) {
    for (std::size_t at = output.find(line_end); at != output.npos; at = output.find(line_end, at + 1)) {
      string_view rest = output.substr(at + line_end.size());
      while (!rest.empty() && (rest[0] == ' ' || rest[0] == '\t')) rest.remove_prefix(1);
      for (string_view bad : {"http://", "https://", "//", "#EXT"}) {
        FUZZ_REQUIRE(rest.substr(0, bad.size()) != bad);
      }
    }
  }
  constexpr string_view kTag = "#EXT-X-MEDIA:";
  for (std::size_t at = output.find(kTag); at != output.npos; at = output.find(kTag, at + 1)) {
    std::size_t start = output.find_last_of("\r\n", at) + 1;
    if (start == 0 && output.substr(0, 3) == "\xEF\xBB\xBF") start = 3;
    string_view line = output.substr(start, output.find_first_of("\r\n", at) - start);
    if (line.substr(0, at - start).find_first_not_of(" \t") == line.npos) continue;
    FUZZ_REQUIRE(line.find("//", at - start) == line.npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  string_view playlist = fuzz::view(data, size);
  if (playlist.find("~relay~") != playlist.npos) return 0;   // it would pass for a link of ours

  const Result whole = rewrite(playlist, false, [] { return SIZE_MAX; });
  std::uint32_t state = 0;   // of the sizes of the pieces: from the input, so that a finding can be repeated
  for (char c : playlist) state = state * 31 + static_cast<unsigned char>(c);
  auto random_size = [&] {
    state = state * 1664525 + 1013904223;
    return std::size_t{1} << (state >> 29) | (state >> 16 & 3);
  };
  for (const Result &other : {rewrite(playlist, false, [] { return std::size_t{1}; }),
                              rewrite(playlist, false, random_size), rewrite(playlist, true, random_size)}) {
    FUZZ_REQUIRE(other.error == whole.error);
    FUZZ_REQUIRE(other.line == whole.line);
    if (whole.error == RewriteError::none) FUZZ_REQUIRE(other.text == whole.text);
  }
  if (whole.error != RewriteError::none) return 0;
  require_copied(playlist, whole.text);
  require_no_http_line(whole.text);
  require_nothing_hidden(whole.text);
  return 0;
}
