// Rewrites playlists for the tests, in many splits, and shows the links of the outcome as what they open to.
//
// A case says by hand what comes out, with each link written as
//   [media https://up.example/live/ch1/a.ts at=7]
// that is: playlist or media; a '!' behind it where the link has scheme and host; the upstream URL; then,
// where the link has them, "at=<sequence>[.<part>]", "v=<name>:<value>,..." and, where the case asks for
// names, "name=<file name of the link>". "[media unusable]" is a link that opens to nothing.

#ifndef HLS_PLAYLIST_FIXTURE_H
#define HLS_PLAYLIST_FIXTURE_H

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host_patterns.h"
#include "link.h"
#include "playlist_rewriter.h"
#include "variables.h"

#include "tap_main.h"

namespace fixture {

using hls::RewriteError;
using Definitions = std::vector<std::pair<std::string, std::string>>;

constexpr std::uint64_t kNow = 1'000'000'000;
constexpr std::string_view kSite = "https://proxy.example";
constexpr std::string_view kMount = "/hls";

struct Case {
  std::string name;
  std::string playlist;
  std::string wanted;
  RewriteError error = RewriteError::none;
  std::uint64_t error_line = 0;
  std::string base = "https://up.example/live/ch1/index.m3u8?tok=A%2FB";
  Definitions inherited = {};
  bool names = false;
  std::string hosts = {};        // pattern; empty: any
};

struct Outcome {
  std::string bytes;
  RewriteError error;
  std::uint64_t line;

  bool operator==(const Outcome &o) const { return bytes == o.bytes && error == o.error && line == o.line; }
};

/// Everything that links are made of and opened with.
class Relay {
public:
  explicit Relay(std::string_view hosts = {}) {
    keys_.emplace_back("a secret of the tests, long enough");
    scope_.base = kMount;
    scope_.public_base = std::string(kSite) + std::string(kMount);
    scope_.stream = hls::StreamKey{"tests", {}}.encode();
    scope_.key = &keys_[0];
    scope_.playlist_exp = kNow + 7 * 86400;
    scope_.media_exp = kNow + 43200;
    std::string reason;
    if (!hosts.empty() && patterns_.add(hosts, reason)) scope_.hosts = &patterns_;
  }
  Relay(const Relay &) = delete;

  hls::LinkScope &scope() { return scope_; }

  /// `target`: what follows scheme, host and mount.
  hls::LinkState open(std::string_view target, hls::Link &link) const {
    std::size_t question = std::min(target.find('?'), target.size());
    const char *reason;
    return hls::open_link(target.substr(0, question),
                          question < target.size() ? target.substr(question + 1) : std::string_view(), keys_,
                          scope_.bind, kNow, link, reason);
  }

private:
  hls::LinkKeys keys_;
  hls::HostPatterns patterns_;
  hls::LinkScope scope_;
};

/// Keeps everything. `always_full` stops the writer at every line boundary.
class Collector : public hls::Output {
public:
  explicit Collector(bool always_full = false) : window_(new Window) {
    if (always_full) low_water_ = SIZE_MAX;
  }
  std::string take() {
    next_window(0);
    return std::move(bytes_);
  }

private:
  using Window = std::array<char, kMaxReserve>;

  // A new window each time: writing to an old one is found by the sanitizer.
  void next_window(std::size_t) override {
    if (pos_) bytes_.append(window_->data(), static_cast<std::size_t>(pos_ - window_->data()));
    window_.reset(new Window);
    pos_ = window_->data();
    end_ = pos_ + window_->size();
  }

  std::unique_ptr<Window> window_;
  std::string bytes_;
};

/// Rewrites `playlist` cut at `cuts` (ascending); every piece has memory of its own, gone when it is used up.
inline Outcome rewrite(hls::LinkWriter &links, const Case &c, const std::vector<std::size_t> &cuts,
                       bool always_full = false) {
  hls::Url base;
  hls::parse_url(c.base, base);
  hls::Variables inherited;
  for (const auto &[name, value] : c.inherited) inherited.define(name, value);
  hls::PlaylistRewriter rewriter(links, base, inherited.encode());
  Collector out(always_full);
  Outcome outcome{{}, RewriteError::none, 0};

  std::size_t from = 0;
  for (std::size_t i = 0; i <= cuts.size() && outcome.error == RewriteError::none; ++i) {
    std::size_t to = i < cuts.size() ? cuts[i] : c.playlist.size();
    std::vector<char> piece(c.playlist.begin() + static_cast<std::ptrdiff_t>(from),
                            c.playlist.begin() + static_cast<std::ptrdiff_t>(to));
    std::string_view in(piece.data(), piece.size());
    while (!in.empty() && outcome.error == RewriteError::none) {
      outcome.error = rewriter.feed(in, out);
      if (in.empty() || outcome.error != RewriteError::none) continue;
      char before = c.playlist[to - in.size() - 1];
      if (before != '\n' && before != '\r') tap::check(false, c.name + ": stopped inside a line");
    }
    from = to;
  }
  if (outcome.error == RewriteError::none) outcome.error = rewriter.finish(out);
  outcome.line = rewriter.line_number();
  outcome.bytes = out.take();
  if (outcome.error == RewriteError::hidden_line) {
    // A line that is not held is written as far as it came, but never what is hidden in it.
    std::size_t line = outcome.bytes.find_last_of("\r\n") + 1;
    tap::check(outcome.bytes.find("no.example", line) == std::string::npos, c.name + ": it is not written");
    outcome.bytes.resize(line);
  }
  return outcome;
}

inline Outcome rewrite(const Case &c, const std::vector<std::size_t> &cuts = {}, bool always_full = false) {
  Relay relay(c.hosts);
  hls::LinkWriter links(relay.scope());
  return rewrite(links, c, cuts, always_full);
}

inline bool is_link_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~/?&=%").find(c) != std::string_view::npos;
}

/// The link at the front of `text`, which begins with the mount, as a case writes it.
inline std::string show_link(const Relay &relay, const Case &c, std::string_view link, bool absolute) {
  std::string_view target = link.substr(kMount.size());
  bool media = target.substr(0, 7) == "/media/";
  std::string shown = std::string(media ? "[media" : "[playlist") + (absolute ? "!" : "");
  if (target.find('?') == target.npos) return shown + " unusable]";
  hls::Link opened;
  hls::LinkState state = relay.open(target, opened);
  if (state != hls::LinkState::ok) {
    return shown + (state == hls::LinkState::bad_signature ? " unsigned " + std::string(opened.url.text())
                                                           : std::string(" broken")) + "]";
  }
  if ((opened.kind == hls::LinkKind::media) != media) shown += " other kind";
  shown.append(" ").append(opened.url.text());
  if (opened.at) {
    hls::Url base;
    hls::parse_url(c.base, base);
    if (opened.at->parent != hls::position_parent(base)) shown += " other parent";
    shown += " at=" + std::to_string(opened.at->sequence);
    if (opened.at->part >= 0) shown += "." + std::to_string(opened.at->part);
  }
  if (!opened.variables.empty()) {
    hls::Variables variables;
    if (!variables.decode(opened.variables)) shown += " broken v";
    // The names that tests use; a case that hands on others shows none of them.
    char separator = '=';
    for (const char *name : {"a", "b", "c", "tok", "path"}) {
      const std::string *value = variables.find(name);
      if (!value) continue;
      shown.append(separator == '=' ? " v" : "").append(1, separator).append(name).append(":").append(*value);
      separator = ',';
    }
  }
  if (c.names) {
    std::string_view path = target.substr(0, target.find('?'));
    shown.append(" name=").append(path.substr(path.rfind('/') + 1));
  }
  return shown + "]";
}

/// `output` with its links replaced by what they open to.
inline std::string show(const Case &c, std::string_view output) {
  Relay relay(c.hosts);
  std::string shown;
  while (!output.empty()) {
    std::size_t at = std::min(output.find("/hls/playlist/"), output.find("/hls/media/"));
    if (at == output.npos) return shown.append(output);
    bool absolute = at >= kSite.size() && output.substr(at - kSite.size(), kSite.size()) == kSite;
    shown.append(output.substr(0, absolute ? at - kSite.size() : at));
    std::size_t end = at;
    while (end < output.size() && is_link_byte(output[end])) ++end;
    shown += show_link(relay, c, output.substr(at, end - at), absolute);
    output.remove_prefix(end);
  }
  return shown;
}

inline void check_split(const Case &c, const Outcome &whole, const std::vector<std::size_t> &cuts,
                        const std::string &how, bool always_full = false) {
  Outcome split = rewrite(c, cuts, always_full);
  if (!(split == whole)) {
    tap::check(false, c.name + ": " + how + ": " + hls::describe(split.error) + " in line " +
                          std::to_string(split.line) + ", " + std::to_string(split.bytes.size()) +
                          " bytes instead of " + hls::describe(whole.error) + " in line " +
                          std::to_string(whole.line) + ", " + std::to_string(whole.bytes.size()));
  }
}

/// Byte by byte, in two at every place, in random pieces, and into an output that is always full.
inline void check_splits(const Case &c, const Outcome &whole) {
  const std::size_t size = c.playlist.size();
  std::vector<std::size_t> every;
  for (std::size_t i = 1; i < size; ++i) every.push_back(i);
  check_split(c, whole, every, "byte by byte");

  // All places of a short text; of a long one those near its ends, its line ends and the limit of a line.
  for (std::size_t i = 0; i <= size; ++i) {
    bool near = size <= 2048 || i < 40 || i + 40 > size || c.playlist[i] == '\n' ||
        c.playlist[i - 1] == '\n' ||
                (i % hls::PlaylistRewriter::kMaxLine + 60) % hls::PlaylistRewriter::kMaxLine < 80;
    if (near) check_split(c, whole, {i}, "cut at " + std::to_string(i));
  }

  std::mt19937 random(size);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::size_t> cuts;
    for (std::size_t at = 0; size > 0; cuts.push_back(at)) {
      at += random() % (round < 10 ? 7 : size / 2 + 2);
      if (at > size) break;
    }
    check_split(c, whole, cuts, "random pieces " + std::to_string(round));
  }
  tap::check(rewrite(c, {}, true) == whole, c.name + ": stopped at every line");
  check_split(c, whole, every, "byte by byte, stopped at every line", true);
}

inline void check_case(const Case &c) {
  Outcome whole = rewrite(c);
  tap::equal(c.name + ": error", hls::describe(whole.error), hls::describe(c.error));
  if (c.error != RewriteError::none) {
    tap::equal(c.name + ": line", static_cast<long long>(whole.line), static_cast<long long>(c.error_line));
  }
  tap::equal(c.name, show(c, whole.bytes), c.wanted);
  check_splits(c, whole);
}

/// A main() that makes a TAP line of every case and every further test.
inline int run(const std::vector<Case> &cases, const std::vector<CMUnitTest> &further = {}) {
  std::vector<CMUnitTest> tests;
  for (const Case &c : cases) {
    CMUnitTestFunction test = [](void **state) {
      check_case(*static_cast<const Case *>(*state));
      TAP_FINISH();
    };
    tests.push_back({c.name.c_str(), test, nullptr, nullptr, const_cast<Case *>(&c)});
  }
  tests.insert(tests.end(), further.begin(), further.end());
  cmocka_set_message_output(CM_OUTPUT_TAP);
  return _cmocka_run_group_tests("playlist rewriter", tests.data(), tests.size(), nullptr, nullptr) ? 1 : 0;
}

}  // namespace fixture

#endif
