// The tags that the rewriter knows: where their URIs are and what they change for the lines behind them.
// Section numbers are those of RFC 8216bis (draft-pantos-hls-rfc8216bis); tags without one are a vendor's.

#ifndef HLS_PLAYLIST_TAGS_H
#define HLS_PLAYLIST_TAGS_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "link.h"

namespace hls {

/// What a tag does beside carrying URIs.
enum class TagRole : std::uint8_t {
  none,
  extinf,
  byterange,       // the next segment is a part of a resource
  tiles,           // the next segment is an image
  images_only,     // all of them are
  stream_inf,      // the next URI line is a playlist
  image_stream_inf,  // likewise where it has no URI attribute
  key,             // its URI is rewritten for some KEYFORMATs only
  map,
  part,
  preload_hint,    // its TYPE says what its URI is
  skip,
  media_sequence,
  define,
  steering,        // the whole line vanishes
  uri_value,       // all that follows the ':' is a URI
};

/// Which playlist a tag is found in; `any` says nothing.
enum class PlaylistType : std::uint8_t { any, media, multivariant };

struct UriAttribute {
  std::string_view name;
  UriKind kind = UriKind::automatic;   // `segment` stands for the kind of this playlist's segments
  bool absolute = false;               // players do not resolve it: the link needs scheme and host
};

struct Tag {
  std::string_view name;   // without '#'
  TagRole role;
  PlaylistType found_in;
  std::array<UriAttribute, 3> uris;   // the unused ones have no name; may_hold_name() knows how names end

  /// Lines of such a tag are held as a whole or not let through.
  constexpr bool carries_uri() const {
    return !uris[0].name.empty() || role == TagRole::uri_value || role == TagRole::define;
  }
};

namespace playlist_tags {

using Role = TagRole;
using In = PlaylistType;

constexpr UriAttribute relative(UriKind kind) { return {"URI", kind, false}; }
constexpr UriAttribute absolute(std::string_view name) { return {name, UriKind::automatic, true}; }

// Sorted by the length of the name. What is not here is copied: it holds no URI and changes nothing.
constexpr Tag kTags[] = {
    {"EXTINF", Role::extinf, In::any, {}},                                       // 4.4.4.1
    {"EXT-X-KEY", Role::key, In::media, {relative(UriKind::key)}},               // 4.4.4.4
    {"EXT-X-MAP", Role::map, In::media, {relative(UriKind::init)}},              // 4.4.4.5
    {"EXT-X-GAP", Role::none, In::media, {}},                                    // 4.4.4.7
    {"EXT-X-PART", Role::part, In::media, {relative(UriKind::segment)}},         // 4.4.4.9
    {"EXT-X-SKIP", Role::skip, In::media, {}},                                   // 4.4.5.2
    {"EXT-X-MEDIA", Role::none, In::multivariant, {relative(UriKind::playlist)}},  // 4.4.6.1
    {"EXT-X-TILES", Role::tiles, In::media, {}},                                 // Roku's image playlists
    {"EXT-X-DEFINE", Role::define, In::any, {}},                                 // 4.4.2.3
    {"EXT-X-ENDLIST", Role::none, In::media, {}},                                // 4.4.3.4
    {"EXT-X-BITRATE", Role::none, In::media, {}},                                // 4.4.4.8
    {"EXT-X-PART-INF", Role::none, In::media, {}},                               // 4.4.3.7
    {"EXT-X-PREFETCH", Role::uri_value, In::media, {}},                          // LHLS
    {"EXT-X-BYTERANGE", Role::byterange, In::media, {}},                         // 4.4.4.2
    {"EXT-X-DATERANGE", Role::none, In::media,                                   // 4.4.5.1, D.2, F
     {absolute("X-ASSET-URI"), absolute("X-ASSET-LIST"), absolute("X-URI")}},
    {"EXT-X-STREAM-INF", Role::stream_inf, In::multivariant, {}},                // 4.4.6.2
    {"EXT-X-SESSION-KEY", Role::key, In::multivariant, {relative(UriKind::key)}},  // 4.4.6.5
    {"EXT-X-IMAGES-ONLY", Role::images_only, In::media, {}},                     // Roku's image playlists
    {"EXT-X-PRELOAD-HINT", Role::preload_hint, In::media, {relative(UriKind::segment)}},  // 4.4.5.3
    {"EXT-X-SESSION-DATA", Role::none, In::multivariant, {relative(UriKind::json)}},      // 4.4.6.4
    {"EXT-X-DISCONTINUITY", Role::none, In::media, {}},                          // 4.4.4.3
    {"EXT-X-I-FRAMES-ONLY", Role::none, In::media, {}},                          // 4.4.3.6
    {"EXT-X-PLAYLIST-TYPE", Role::none, In::media, {}},                          // 4.4.3.5
    {"EXT-X-MEDIA-SEQUENCE", Role::media_sequence, In::media, {}},               // 4.4.3.2
    {"EXT-X-SERVER-CONTROL", Role::none, In::media, {}},                         // 4.4.3.8
    {"EXT-X-TARGETDURATION", Role::none, In::media, {}},                         // 4.4.3.1
    {"EXT-X-TWITCH-PREFETCH", Role::uri_value, In::media, {}},                   // Twitch's low latency
    {"EXT-X-CONTENT-STEERING", Role::steering, In::multivariant, {}},            // 4.4.6.6
    {"EXT-X-IMAGE-STREAM-INF", Role::image_stream_inf, In::multivariant,         // Roku's image playlists
     {relative(UriKind::playlist)}},
    {"EXT-X-RENDITION-REPORT", Role::none, In::media, {relative(UriKind::playlist)}},     // 4.4.5.4
    {"EXT-X-PROGRAM-DATE-TIME", Role::none, In::media, {}},                      // 4.4.4.6
    {"EXT-X-I-FRAME-STREAM-INF", Role::none, In::multivariant, {relative(UriKind::playlist)}},  // 4.4.6.3
    {"EXT-X-DISCONTINUITY-SEQUENCE", Role::none, In::media, {}},                 // 4.4.3.3
};

constexpr std::size_t kCount = sizeof(kTags) / sizeof(kTags[0]);
constexpr std::size_t kMaxName = kTags[kCount - 1].name.size();

// The tags whose names have n bytes are those from first[n] to before first[n + 1].
struct LengthIndex {
  std::uint8_t first[kMaxName + 2];
};

constexpr LengthIndex make_length_index() {
  LengthIndex index{};
  std::size_t i = 0;
  for (std::size_t n = 0; n < kMaxName + 2; ++n) {
    while (i < kCount && kTags[i].name.size() < n) ++i;
    index.first[n] = static_cast<std::uint8_t>(i);
  }
  return index;
}

constexpr bool is_sorted_by_length() {
  for (std::size_t i = 1; i < kCount; ++i) {
    if (kTags[i - 1].name.size() > kTags[i].name.size()) return false;
  }
  return true;
}

static_assert(is_sorted_by_length());
constexpr LengthIndex kIndex = make_length_index();

}  // namespace playlist_tags

/// `name` without '#', in its exact case (4.1); null: not known.
inline const Tag *find_tag(std::string_view name) {
  using namespace playlist_tags;
  if (name.size() > kMaxName) return nullptr;
  const Tag *end = kTags + kIndex.first[name.size() + 1];
  for (const Tag *tag = kTags + kIndex.first[name.size()]; tag != end; ++tag) {
    if (std::memcmp(tag->name.data(), name.data(), name.size()) == 0) return tag;
  }
  return nullptr;
}

}  // namespace hls

#endif
