// A playlist as rebinding sees it: which URL stands where. What is needed of the old playlist, to know
// where a dead URL stood, and of the fresh one, to find what stands there now.

#ifndef HLS_PLAYLIST_INDEX_H
#define HLS_PLAYLIST_INDEX_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "link.h"
#include "playlist_tags.h"
#include "url.h"

namespace hls {

/// A URL by two 64-bit hashes (of SHA-256), so that what is remembered of a playlist stays small.
struct UrlMark {
  std::uint64_t url = 0;    // the whole URL
  std::uint64_t path = 0;   // path and file name alone; its first 24 bits are position_parent()

  std::uint32_t parent() const { return static_cast<std::uint32_t>(path >> 40); }
  bool operator==(const UrlMark &o) const { return url == o.url && path == o.path; }
};

UrlMark mark_of(const Url &url);

struct PlaylistIndex {
  static constexpr std::size_t kMaxUnits = 65536;       // segments and parts
  static constexpr std::size_t kMaxRenditions = 4096;
  static constexpr std::size_t kMaxText = 16u << 20;    // bytes of all URLs
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;    // no address, map or key set

  struct Address {
    Address() = default;
    explicit Address(const Url &url);

    UrlMark mark;
    std::string text;         // Url::text(); empty where only the marks were kept
    std::uint32_t name = 0;   // the file name in `text`
    std::uint32_t name_size = 0;

    std::string_view file_name() const { return std::string_view(text).substr(name, name_size); }
    bool operator==(const Address &o) const { return mark == o.mark && text == o.text; }
  };

  /// A byte range (RFC 8216bis 4.4.4.2) with its offset worked out. `length` of an open one (a preload
  /// hint's) is 0.
  struct Range {
    bool present = false;
    std::uint64_t offset = 0, length = 0;

    bool operator==(const Range &o) const {
      return present == o.present && offset == o.offset && length == o.length;
    }
  };

  /// The EXT-X-KEYs that apply at once.
  struct KeySet {
    std::uint64_t terms = 0;         // hash of METHOD, IV, KEYFORMAT(VERSIONS), and of URIs that are names
    std::uint32_t address = kNone;   // of the key that the relay links to (KEYFORMAT identity, http)

    bool operator==(const KeySet &o) const { return terms == o.terms && address == o.address; }
  };

  struct Map {
    std::uint32_t address = kNone;
    Range range;
    std::uint32_t keys = kNone;

    bool operator==(const Map &o) const {
      return address == o.address && range == o.range && keys == o.keys;
    }
  };

  enum class Clock : std::uint8_t {
    none,
    reckoned,   // from a neighbour's EXT-X-PROGRAM-DATE-TIME and the durations between
    given,
  };

  /// A segment, or a part of one: parts stand before the segment that they belong to.
  struct Unit {
    std::uint64_t sequence = 0;        // media sequence number
    std::int32_t part = -1;            // -1: the whole segment
    std::uint32_t address = kNone;     // kNone: a URI that is not fetched over HTTP
    std::uint64_t duration = 0;        // microseconds
    std::uint64_t discontinuity = 0;   // discontinuity sequence number
    std::int64_t date = 0;             // microseconds since the epoch, where `clock` is not none
    Clock clock = Clock::none;
    bool gap = false;
    Range range;
    std::uint32_t map = kNone;
    std::uint32_t keys = kNone;        // kNone: not encrypted

    bool operator==(const Unit &o) const;
  };

  /// The part that an EXT-X-PRELOAD-HINT announces: nothing but its place and its URL is known.
  struct Hint {
    std::uint64_t sequence = 0;
    std::int32_t part = 0;
    std::uint32_t address = kNone;

    bool operator==(const Hint &o) const {
      return sequence == o.sequence && part == o.part && address == o.address;
    }
  };

  enum class Role : std::uint8_t { variant, i_frame_variant, image_variant, audio, video, subtitles, other };

  /// A row of a multivariant playlist that has a URI. Values as written, variables expanded.
  struct Rendition {
    Role role = Role::variant;
    std::uint32_t address = kNone;
    std::uint64_t bandwidth = 0;       // 0: none; of a variant
    // EXT-X-MEDIA: group, name, language, channels. A variant: resolution, codecs, frame rate, video range,
    // and the groups AUDIO, VIDEO, SUBTITLES, CLOSED-CAPTIONS. Both: stable id, pathway.
    enum Field { group, name, language, channels, resolution, codecs, frame_rate, video_range, audio_group,
                 video_group, subtitles_group, captions_group, stable_id, pathway, kFields };
    std::string fields[kFields];

    /// Role and fields: what rebinding knows it by. The bandwidth is measured anew each time.
    bool is_like(const Rendition &o) const;
    bool operator==(const Rendition &o) const {
      return is_like(o) && address == o.address && bandwidth == o.bandwidth;
    }
  };

  enum class Type : std::uint8_t { unknown, multivariant, media };

  Type type = Type::unknown;
  Address asked;     // as the multivariant playlist or the resolver named this playlist
  Address self;      // where it was found, after redirects
  std::vector<Address> addresses;      // no two are equal
  std::vector<std::uint32_t> extras;   // of URLs without a place: prefetches, map hints, session keys …

  std::vector<Rendition> renditions;   // in the order of the playlist

  std::vector<Unit> units;             // ascending by (sequence, part), whole segments last
  std::vector<Hint> hints;
  std::vector<Map> maps;
  std::vector<KeySet> key_sets;
  bool ended = false;                  // EXT-X-ENDLIST: complete, VOD as far as rebinding goes
  bool skipped = false;                // a delta update (EXT-X-SKIP): not the whole playlist
  bool discontinuity_given = false;    // EXT-X-DISCONTINUITY-SEQUENCE is there

  /// Of a complete playlist: the number of segments and a hash of their durations.
  std::uint64_t segment_count = 0;
  std::uint64_t durations_hash = 0;

  std::uint32_t parent() const { return self.mark.parent(); }

  /// Null: there is none.
  const Unit *find_unit(std::uint64_t sequence, std::int32_t part) const;

  /// The address of `mark`: the same URL, else the only one of the same path. kNone: none, or several.
  std::uint32_t find_address(const UrlMark &mark) const;

  /// One byte string, for shared memory. `urls` false leaves out the text of URLs: enough to remember an
  /// old playlist by, a quarter of the size, and no token lies there.
  std::string serialise(bool urls) const;

  /// The reverse; false, with nothing set, for anything that serialise() would not have written.
  static bool deserialise(std::string_view bytes, PlaylistIndex &index);

  bool operator==(const PlaylistIndex &o) const;

private:
  void reckon_backwards();
  void count_segments();
  friend class PlaylistIndexer;
};

enum class IndexError : std::uint8_t {
  none,
  not_a_playlist,      // the first line is not #EXTM3U
  line_too_long,       // a line that matters, over kMaxLine
  uri_too_long,        // over LinkWriter::kMaxUrl
  unterminated_quote,
  unknown_variable,    // in a URI
  too_many_variables,
  out_of_order,        // two segments or parts with one number: it is no playlist of one kind, or at 2^64
  too_large,           // over a limit of PlaylistIndex
};

const char *describe(IndexError error);

/// Reads a playlist piece by piece; the result does not depend on where it is cut. URIs and positions are
/// found as PlaylistRewriter finds them: what that one signs with a position is here at that position.
class PlaylistIndexer {
public:
  static constexpr std::size_t kMaxLine = 16384;

  /// `self`: the final URL. `inherited`: the multivariant's variables, base64url, or empty.
  PlaylistIndexer(const Url &asked, const Url &self, std::string_view inherited);
  ~PlaylistIndexer();

  /// After an error nothing more may be fed.
  IndexError feed(std::string_view in);

  /// The end of the input. `index` is set for none only.
  IndexError finish(PlaylistIndex &index);

  /// What its child playlists inherit, base64url; empty for none.
  std::string variables() const;

private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A whole playlist at once.
IndexError index_playlist(const Url &asked, const Url &self, std::string_view inherited,
                          std::string_view playlist, PlaylistIndex &index);

}  // namespace hls

#endif
