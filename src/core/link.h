// Signed links: what the module writes into playlists and what it accepts in requests.
//
//   <base>/<playlist|media>/<stream>/<name>
//       ?u=<where>[&v=<variables>][&at=<position>][&end=<seconds>]&exp=<seconds>&sig=<key id and MAC>
//
// The path holds only what survives the rotation of a token (players compare paths over reloads and
// ignore queries); everything else is in the query. One upstream URL has one link, byte for byte.

#ifndef HLS_LINK_H
#define HLS_LINK_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "link_keys.h"
#include "output.h"
#include "stream_key.h"
#include "url.h"

namespace hls {

class HostPatterns;

/// What a URI of a playlist is for: it decides between playlist/ and media/ and which file name
/// extensions players accept there.
enum class UriKind : std::uint8_t {
  playlist,
  segment,    // transport stream unless its name says otherwise
  fragment,   // a segment or part of a playlist with EXT-X-MAP: fragmented MP4 unless its name says otherwise
  init,
  key,
  json,
  image,
  automatic,  // may be a playlist, an asset list, or media: the response decides
};

enum class LinkKind : std::uint8_t { playlist, media };

/// Where a segment or part stands, for finding its successor when its URL has died.
struct Position {
  std::uint32_t parent = 0;    // 24 bits: hash of the playlist's path and file name
  std::uint64_t sequence = 0;  // media sequence number
  std::int32_t part = -1;      // index of the part in its segment; -1: the whole segment

  bool operator==(const Position &o) const {
    return parent == o.parent && sequence == o.sequence && part == o.part;
  }
};

/// The 24 bits of Position::parent, from path and file name alone: host and query rotate.
std::uint32_t position_parent(const Url &playlist);

/// What all links of one response share.
struct LinkScope {
  std::string base;             // "/hls", or absolute: what links begin with
  std::string public_base;      // the same with scheme and host: where a link must be absolute
  std::string stream;           // StreamKey::encode()
  std::string bind;             // mixed into the MAC
  const LinkKey *key = nullptr;
  const HostPatterns *hosts = nullptr;  // null: any
  std::uint64_t playlist_exp = 0;
  std::uint64_t media_exp = 0;
  std::uint64_t end = 0;        // 0: none
};

/// Writes links. Keeps what the URIs of one directory share (the encoded record and the hash state),
/// so that a further URI of it costs two or three SHA-256 blocks and no allocation.
class LinkWriter {
public:
  /// A URL longer than this gets no link: too_long.
  static constexpr std::size_t kMaxUrl = 6144;
  /// Limit of `variables`; with it the longest link stays below Output::kMaxReserve.
  static constexpr std::size_t kMaxVariables = 2048;

  /// `scope` and what it points to must outlive the writer.
  explicit LinkWriter(const LinkScope &scope);

  /// Appends the link of `url`. `at` may be null. `variables` is what a child playlist needs
  /// (Variables::encode(), base64url), and is ignored but for playlist and automatic.
  /// A host outside the scope's patterns gets the same link without its signature: it leads nowhere.
  /// False, with nothing written: the URL is longer than kMaxUrl.
  bool write(Output &out, const Url &url, UriKind kind, const Position *at, std::string_view variables,
             bool absolute);

  /// The link of something that is http(s) but cannot be requested (Reference::unusable): opens to nothing.
  void write_dead(Output &out, UriKind kind, bool absolute);

  const LinkScope &scope() const { return scope_; }

private:
  /// What the links of one kind into one upstream directory share.
  struct Directory {
    std::string url;      // scheme, authority and directory; empty: free
    LinkKind kind = LinkKind::playlist;
    std::string record;   // "?u=" and base64url of the record's part that is the same for all
    std::string tail;     // "&end=…&exp=…&sig=" and the key's id; ends before "&sig=" where it is not signed
    bool is_signed = false;  // the scope's patterns take the host
    SHA256_CTX mac;       // hash state behind the fields that are the same for all
  };
  struct Kind {
    std::string path;     // "/media/<stream>/"
    std::string tail;     // "&end=…&exp=…"
    std::uint64_t exp;
  };

  const Directory &directory_of(const Url &url, LinkKind kind);
  const Kind &of(LinkKind kind) const { return kinds_[kind == LinkKind::media]; }

  const LinkScope &scope_;
  std::array<Kind, 2> kinds_;
  std::array<Directory, 4> directories_;
  std::size_t next_directory_ = 0;
  std::string suffix_;    // scratch
};

/// A link that was opened: checked, decoded.
struct Link {
  LinkKind kind = LinkKind::playlist;
  StreamKey stream;
  std::string stream_text;     // as in the path
  Url url;
  std::string variables;       // of v, still base64url; empty: none
  std::optional<Position> at;
  std::uint64_t exp = 0;
  std::uint64_t end = 0;
  const LinkKey *key = nullptr;
  std::string directives;      // _HLS_* arguments, sorted, "a=1&b=2": they belong to the cache key
  std::string foreign;         // directives and CMCD: what is added to the upstream query
};

enum class LinkState : std::uint8_t { ok, malformed, bad_signature, expired };

/// Opens what follows the base in a request: `path` "/playlist/<stream>/<name>" decoded, `args` raw, in
/// any order, percent-encoded or not. `reason` is set for all but ok: a literal for the log.
LinkState open_link(std::string_view path, std::string_view args, const LinkKeys &keys,
                    std::string_view bind, std::uint64_t now, Link &link, const char *&reason);

/// Expiry of new links: (now + ttl) rounded up to a multiple of ttl, shifted per stream, so that all
/// viewers of a stream get equal bytes for ttl. `parent` (0: none) is kept while it is more than
/// ttl / 2 away. `ttl` is at least 1.
std::uint64_t link_expiry(std::uint64_t now, std::uint64_t ttl, std::string_view stream,
                          std::uint64_t parent);

/// `query` of an upstream URL with a link's foreign arguments behind it: copies of theirs in `query` go,
/// all else of it stays byte for byte.
std::string query_with(std::string_view query, std::string_view foreign);

}  // namespace hls

#endif
