// Rebinding: the URL that takes the place of one that died, in the playlists of a fresh generation.
//
//   R0  A generation of another provider: only entries switch, its segmentation is another.
//   R1  The URL of the same path (host and query aside), if there is exactly one. Where nothing but the path is
//       known, arguments that commonly select what is shown (lang, quality …) must not differ.
//   R2  Otherwise the same file name, unique, at the same media sequence number with the same duration; VOD
//       also the fingerprint of the whole playlist; live also discontinuity sequence, and
//       PROGRAM-DATE-TIME where there is one.
//   R3  Names differ too: R2 without the name; live only with PROGRAM-DATE-TIME.
//   R4  Encryption METHOD, explicit IV, MAP presence and byte ranges must agree.
//   R5  Renditions by what describes them; BANDWIDTH rank only breaks ties, if counts agree.
//   R6  Outside of the fresh window, or not sure: refused, never a neighbour.
//
// What is known of the old place is never overruled by a path: a URL of the same path that now stands
// elsewhere, or has another duration, is refused, too. Nothing here depends on time or on earlier calls.

#ifndef HLS_REBIND_H
#define HLS_REBIND_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "link.h"
#include "playlist_index.h"
#include "url.h"

namespace hls {

enum class RebindRule : std::uint8_t {
  none,
  entry,            // the fresh entry itself
  same_path,        // R1
  same_name,        // R2
  same_place,       // R3
  same_rendition,   // R5
};
constexpr std::size_t kRebindRules = 6;

enum class RebindRefusal : std::uint8_t {
  none,
  other_provider,        // R0
  not_remembered,        // nothing is known of the old place, and no URL has the same path
  ambiguous,             // several URLs have the same path, or one URL would need several successors
  moved,                 // the same path or file name now stands at another place
  outside_window,        // R6: the fresh playlist does not reach there
  other_structure,       // a multivariant playlist became a media playlist, or neither is there
  incomplete,            // the fresh playlist is a delta update, or holds no URLs
  fingerprint,           // VOD: another number of segments or other durations
  duration,
  discontinuity,
  date,                  // PROGRAM-DATE-TIME differs
  no_date,               // live, and no PROGRAM-DATE-TIME to tell by
  encryption,            // R4: METHOD, IV, KEYFORMAT, or where keys change
  init_section,          // R4: EXT-X-MAP on one side only, or changing elsewhere
  byte_range,            // R4
  gap,                   // EXT-X-GAP: it must not be fetched
  no_rendition,          // R5
  ambiguous_rendition,   // R5
};
constexpr std::size_t kRebindRefusals = 19;

/// Literals: short names for counters ("same_path"), sentences for the log.
const char *name_of(RebindRule rule);
const char *name_of(RebindRefusal refusal);
const char *describe(RebindRefusal refusal);

struct Rebound {
  RebindRefusal refusal = RebindRefusal::none;
  RebindRule rule = RebindRule::none;
  std::string url;   // empty where it is refused

  explicit operator bool() const { return refusal == RebindRefusal::none; }
};

/// What a link that died says.
struct DeadUrl {
  DeadUrl(const Url &url, std::optional<Position> at)
      : mark(mark_of(url)), name(url.name()), query(url.query()), at(at) {}

  UrlMark mark;
  std::string name;
  std::string query;
  std::optional<Position> at;   // as in the link: none for playlists, keys, init sections, byte ranges
};

/// What is remembered of the generation that the link belongs to, read back from shared memory.
struct OldGeneration {
  std::string_view provider;
  UrlMark entry;                               // what the resolver answered then
  const PlaylistIndex *playlist = nullptr;     // the entry's playlist; null: not remembered
  std::vector<const PlaylistIndex *> media;    // media playlists of it that passed, in any order
};

struct FreshGeneration {
  std::string_view provider;
  const Url *entry = nullptr;                  // what the resolver answered
  const PlaylistIndex *playlist = nullptr;     // of it, with URLs
};

/// The successor of a playlist: the entry, or one of its renditions. `old` may be null.
Rebound rebind_playlist(const DeadUrl &dead, const OldGeneration *old, const FreshGeneration &fresh);

struct FreshParent {
  Rebound playlist;                     // the fresh media playlist in which to look
  const PlaylistIndex *old = nullptr;   // the old one that the dead URL stood in; null: not remembered
};

/// For anything but a playlist: where its successor is to be looked for, with a MediaRebinder. What has no position
/// (a key, an init section) may stand in several playlists, one of which may be another origin's: all of them
/// must lead to the same successor. Never empty.
constexpr std::size_t kMaxParents = 16;
std::vector<FreshParent> find_fresh_parents(const DeadUrl &dead, const OldGeneration *old,
                                            const FreshGeneration &fresh);

/// The first of them.
FreshParent find_fresh_parent(const DeadUrl &dead, const OldGeneration *old, const FreshGeneration &fresh);

/// Finds the successors of segments, parts, init sections and keys. Made once for a pair of playlists, in
/// time and memory linear in their length. Both must outlive it.
class MediaRebinder {
public:
  /// `old`: null where it is not remembered: then R1 alone.
  MediaRebinder(const PlaylistIndex *old, const PlaylistIndex &fresh);

  Rebound rebind(const DeadUrl &dead) const;

private:
  using Unit = PlaylistIndex::Unit;
  enum class Slot : std::uint8_t { self, map, key, map_key };

  // What the places of the dead URL say, one after the other.
  struct Verdict {
    RebindRefusal refusal = RebindRefusal::none;
    std::uint32_t address = PlaylistIndex::kNone;
    std::size_t places = 0;      // of the old playlist
    std::size_t matched = 0;     // those that the fresh one reaches
    bool dated = true;           // all of them, on both sides
    bool same_clock = true;      // dated on both sides or on neither
    bool segment = false;        // or a part: no key, no init section
    bool by_path = false;        // the old playlist has its path, with another query
  };

  static std::uint32_t address_of(const PlaylistIndex &index, const Unit &unit, Slot slot);
  RebindRefusal compare(const Unit &old, const Unit &fresh, bool map_keys) const;
  RebindRefusal compare_keys(std::uint32_t old, std::uint32_t fresh) const;
  RebindRefusal compare_playlists();
  bool discontinuities_comparable() const;
  void consider(const Unit &old, Slot slot, Verdict &verdict) const;
  Verdict look(const DeadUrl &dead) const;
  const std::vector<std::uint32_t> &of_path(const DeadUrl &dead) const;
  Rebound by_path_alone(const DeadUrl &dead) const;
  Rebound judge(const DeadUrl &dead, const Verdict &verdict) const;
  Rebound accept(RebindRule rule, std::uint32_t address) const;

  const PlaylistIndex *old_;
  const PlaylistIndex &fresh_;
  // Ordered: an author of playlists can make hashes collide.
  std::map<std::uint64_t, std::vector<std::uint32_t>> paths_;       // fresh addresses by path
  std::map<std::string_view, std::vector<std::uint32_t>> names_;    // and by file name
  bool vod_ = false;
  bool paths_stay_ = false;    // most segments have kept their paths
  RebindRefusal whole_ = RebindRefusal::none;   // what speaks against any rule but R1
};

}  // namespace hls

#endif
