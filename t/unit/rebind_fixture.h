// Playlists of an origin that rotates, for the tests of rebinding. Include it before tap_main.h.

#ifndef HLS_REBIND_FIXTURE_H
#define HLS_REBIND_FIXTURE_H

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "playlist_index.h"
#include "rebind.h"

namespace fixture {

struct Segment {
  std::string uri;
  std::string duration = "6.006";
  std::string tags;   // whole lines that stand before EXTINF
};

struct Media {
  std::string base;
  std::uint64_t sequence = 0;
  std::string head;    // whole lines before the first segment
  std::vector<Segment> segments;
  std::string tail;    // whole lines behind the last one
  bool ended = true;

  std::string text() const {
    std::string text = "#EXTM3U\n#EXT-X-TARGETDURATION:7\n#EXT-X-MEDIA-SEQUENCE:" + std::to_string(sequence) +
                       "\n" + head;
    for (const Segment &s : segments) text += s.tags + "#EXTINF:" + s.duration + ",\n" + s.uri + "\n";
    return text + tail + (ended ? "#EXT-X-ENDLIST\n" : "");
  }
};

inline hls::Url url(std::string_view text) {
  hls::Url u;
  hls::parse_url(text, u);
  return u;
}

inline hls::Url resolve(std::string_view base, std::string_view ref) {
  hls::Url u;
  hls::resolve_reference(url(base), ref, u);
  return u;
}

inline std::string read_error;   // of the last index(); empty: none

inline hls::PlaylistIndex index(std::string_view base, std::string_view text) {
  hls::PlaylistIndex index;
  hls::IndexError error = hls::index_playlist(url(base), url(base), {}, text, index);
  read_error = error == hls::IndexError::none ? "" : hls::describe(error);
  return index;
}

/// As shared memory keeps it: without URLs.
inline hls::PlaylistIndex remembered(std::string_view base, std::string_view text) {
  hls::PlaylistIndex from_memory;
  if (!hls::PlaylistIndex::deserialise(index(base, text).serialise(false),
                                       from_memory)) read_error = "memory";
  return from_memory;
}

/// "rule URL", or the name of the refusal.
inline std::string show(const hls::Rebound &rebound) {
  if (!rebound) return hls::name_of(rebound.refusal);
  return std::string(hls::name_of(rebound.rule)) + " " + rebound.url;
}

/// What becomes of `uri`, a reference in `old`. `at`: the sequence number of its link; `known`: whether the
/// zone remembers `old`.
inline std::string rebind(const Media &old, const Media &fresh, std::string_view uri,
                          std::optional<std::uint64_t> at, bool known = true, std::int32_t part = -1) {
  hls::PlaylistIndex before = remembered(old.base, old.text());
  hls::PlaylistIndex after = index(fresh.base, fresh.text());
  if (!read_error.empty()) return "error: " + read_error;
  std::optional<hls::Position> position;
  if (at) position = hls::Position{hls::position_parent(url(old.base)), *at, part};
  hls::MediaRebinder rebinder(known ? &before : nullptr, after);
  return show(rebinder.rebind(hls::DeadUrl(resolve(old.base, uri), position)));
}

}  // namespace fixture

#endif
