// The playlist index and rebinding. Input: a playlist, and the same bytes as a record out of shared memory.

#include <algorithm>
#include <vector>

#include "fuzz.h"
#include "playlist_index.h"
#include "playlist_rewriter.h"
#include "rebind.h"
#include "url.h"

namespace {

using fuzz::fixture;
using hls::IndexError;
using hls::PlaylistIndex;
using std::string;
using std::string_view;

const hls::Url &base() {
  static const hls::Url url = [] {
    hls::Url u;
    hls::parse_url("https://up.example/live/ch1/index.m3u8?tok=A%2FB&q=v%20w", u);
    return u;
  }();
  return url;
}

template <typename Next>
IndexError read(string_view playlist, PlaylistIndex &index, Next next) {
  hls::PlaylistIndexer indexer(base(), base(), {});
  IndexError error = IndexError::none;
  while (!playlist.empty() && error == IndexError::none) {
    string_view part = playlist.substr(0, next());
    std::vector<char> piece(part.begin(),
                            part.end());   // of its own, so that a sanitizer sees what runs over
    error = indexer.feed({piece.data(), piece.size()});
    playlist.remove_prefix(piece.size());
  }
  return error == IndexError::none ? indexer.finish(index) : error;
}

void require_flat(const PlaylistIndex &index) {
  for (bool urls : {true, false}) {
    const string bytes = index.serialise(urls);
    PlaylistIndex back;
    FUZZ_REQUIRE(PlaylistIndex::deserialise(bytes, back));
    FUZZ_REQUIRE(back.serialise(urls) == bytes);
    if (urls) FUZZ_REQUIRE(back == index);
  }
}

/// Players differ in which of two equal attributes they take: the rewriter signs both, the last is indexed.
bool has_two_uris_in_a_line(string_view playlist) {
  while (!playlist.empty()) {
    std::size_t end = std::min(playlist.find_first_of("\r\n"), playlist.size());
    string_view line = playlist.substr(0, end);
    if (line.find("URI") != line.rfind("URI")) return true;
    playlist.remove_prefix(std::min(end + 1, playlist.size()));
  }
  return false;
}

/// Every position that the rewriter signs is there, with its URL.
void require_as_rewritten(string_view playlist, const PlaylistIndex &index) {
  if (playlist.find("~relay~") != playlist.npos || has_two_uris_in_a_line(playlist)) return;
  hls::LinkWriter links(fixture().scope);
  hls::PlaylistRewriter rewriter(links, base(), {});
  fuzz::Collector out;
  while (!playlist.empty()) {
    if (out.full()) out.make_room();
    if (rewriter.feed(playlist, out) != hls::RewriteError::none) return;
  }
  if (rewriter.finish(out) != hls::RewriteError::none) return;
  const string text = out.take();
  for (std::size_t at = 0; (at = text.find(fuzz::kBase, at)) != text.npos;) {
    std::size_t end = at;
    while (end < text.size() && fuzz::is_link_byte(text[end])) end++;
    string_view link = string_view(text).substr(at, end - at).substr(fuzz::kBase.size());
    at = end;
    std::size_t question = std::min(link.find('?'), link.size());
    hls::Link opened;
    const char *reason = nullptr;
    if (hls::open_link(link.substr(0, question), link.substr(std::min(question + 1, link.size())),
                       fixture().keys,
                       fixture().scope.bind, fuzz::kNow, opened, reason) != hls::LinkState::ok ||
        !opened.at) {
      continue;
    }
    const PlaylistIndex::Unit *unit = index.find_unit(opened.at->sequence, opened.at->part);
    bool there = unit && unit->address != PlaylistIndex::kNone &&
                 index.addresses[unit->address].text == opened.url.text();
    for (const PlaylistIndex::Hint &hint : index.hints) {
      there = there || (hint.sequence == opened.at->sequence && hint.part == opened.at->part &&
                        index.addresses[hint.address].text == opened.url.text());
    }
    FUZZ_REQUIRE(there);
  }
}

/// In the playlist itself a URL's successor is the URL itself, or there is none.
void require_rebinds_to_itself(const PlaylistIndex &index) {
  PlaylistIndex memory;
  FUZZ_REQUIRE(PlaylistIndex::deserialise(index.serialise(false), memory));
  const hls::MediaRebinder with_memory(&memory, index), without(nullptr, index);
  std::size_t most = 64;
  auto check = [&](std::uint32_t address, std::optional<hls::Position> at) {
    if (address == PlaylistIndex::kNone) return;
    const string &text = index.addresses[address].text;
    hls::Url url;
    FUZZ_REQUIRE(hls::parse_url(text, url));
    const hls::DeadUrl dead(url, at);
    for (const hls::Rebound &rebound : {with_memory.rebind(dead), without.rebind(dead)}) {
      FUZZ_REQUIRE(rebound ? rebound.url == text : rebound.url.empty());
    }
  };
  for (const PlaylistIndex::Unit &unit : index.units) {
    if (most-- == 0) break;
    hls::Position at{index.parent(), unit.sequence, unit.part};
    check(unit.address, unit.range.present ? std::nullopt : std::optional<hls::Position>(at));
  }
  for (std::size_t i = 0; i < std::min<std::size_t>(index.addresses.size(), 64); i++) {
    check(static_cast<std::uint32_t>(i), std::nullopt);
  }
  hls::OldGeneration old{"p", hls::mark_of(base()), &memory, {&memory}};
  for (std::size_t i = 0; i < std::min<std::size_t>(index.renditions.size(), 64); i++) {
    const string &text = index.addresses[index.renditions[i].address].text;
    hls::Url url;
    FUZZ_REQUIRE(hls::parse_url(text, url));
    hls::Rebound rebound = hls::rebind_playlist(hls::DeadUrl(url, std::nullopt), &old, {"p", &base(),
                                                                                        &index});
    FUZZ_REQUIRE(!rebound || rebound.url == text);
    hls::find_fresh_parent(hls::DeadUrl(url, std::nullopt), &old, {"p", &base(), &index});
  }
}

/// A record that anything may have written: what is read of it is what is written again, and can be used.
void use_hostile_record(string_view bytes) {
  PlaylistIndex index;
  if (!PlaylistIndex::deserialise(bytes, index)) return;
  bool urls = !index.asked.text.empty() || !index.self.text.empty() ||
              std::any_of(index.addresses.begin(), index.addresses.end(),
                          [](const PlaylistIndex::Address &a) { return !a.text.empty(); });
  FUZZ_REQUIRE(index.serialise(urls) == bytes || index.serialise(!urls) == bytes);
  hls::MediaRebinder rebinder(&index, index);
  for (std::size_t i = 0; i < std::min<std::size_t>(index.units.size(), 8); i++) {
    hls::DeadUrl dead(base(), hls::Position{index.parent(), index.units[i].sequence, index.units[i].part});
    const std::uint32_t address = index.units[i].address;
    if (address != PlaylistIndex::kNone) dead.mark = index.addresses[address].mark;
    rebinder.rebind(dead);
    dead.at.reset();
    rebinder.rebind(dead);
  }
  hls::OldGeneration old{"p", hls::mark_of(base()), &index, {&index}};
  hls::rebind_playlist(hls::DeadUrl(base(), std::nullopt), &old, {"p", &base(), &index});
  hls::find_fresh_parent(hls::DeadUrl(base(), std::nullopt), &old, {"p", &base(), &index});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  string_view input = fuzz::view(data, size);
  use_hostile_record(input);

  PlaylistIndex whole, split;
  IndexError error = read(input, whole, [] { return SIZE_MAX; });
  FUZZ_REQUIRE(read(input, split, [] { return std::size_t{1}; }) == error);
  FUZZ_REQUIRE(split == whole);
  if (error != IndexError::none) return 0;
  require_flat(whole);
  require_as_rewritten(input, whole);
  require_rebinds_to_itself(whole);
  // The record as a seed of hostile ones: one byte of it changed by the input's own.
  string bytes = whole.serialise(size % 2 == 0);
  std::size_t sum = 0;
  for (char c : input) sum = sum * 31 + static_cast<unsigned char>(c);
  bytes[sum % bytes.size()] = static_cast<char>(sum >> 16);
  use_hostile_record(bytes);
  return 0;
}
