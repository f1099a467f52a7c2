// Rewrites a playlist as it streams by: every byte outside a URI value is copied, every URI that a
// player would fetch over HTTP becomes a signed link. Where URIs are is data: playlist_tags.h.

#ifndef HLS_PLAYLIST_REWRITER_H
#define HLS_PLAYLIST_REWRITER_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "attribute_list.h"
#include "hidden_line.h"
#include "link.h"
#include "output.h"
#include "playlist_tags.h"
#include "url.h"
#include "variables.h"

namespace hls {

enum class RewriteError : std::uint8_t {
  none,
  uri_too_long,        // over LinkWriter::kMaxUrl
  line_too_long,       // a tag or line that carries a URI, over kMaxLine
  unterminated_quote,  // around a value that is a URI
  unknown_variable,    // in a URI
  nul_in_uri,
  too_many_variables,
  too_many_uris,       // in one tag: more than kMaxUris
  hidden_line,         // text inside a line that some players read as a line or tag of its own
  ambiguous_attribute,  // a URI is assigned where only some players find an attribute
};

/// One sentence for logs and for the body of the 502.
const char *describe(RewriteError error);

/// Gives the same output for every split of the input, in constant memory: at most one line of
/// kMaxLine bytes and the variables are held.
class PlaylistRewriter {
public:
  static constexpr std::size_t kMaxLine = 16384;
  static constexpr std::size_t kMaxUris = 16;

  /// `base`: the final URL of the playlist. `inherited`: the v of its link, base64url, or empty.
  /// `links` must outlive the rewriter.
  PlaylistRewriter(LinkWriter &links, const Url &base, std::string_view inherited);

  /// Consumes `in` from its front: all of it, or up to a line boundary where out.full().
  /// After an error nothing more may be fed.
  RewriteError feed(std::string_view &in, Output &out);

  /// The end of the input: what is held of a last line without its newline.
  RewriteError finish(Output &out);

  /// 1-based number of the line that feed() stopped in, for messages.
  std::uint64_t line_number() const { return line_number_; }

private:
  // What happens to the bytes of a line that does not lie whole in one input.
  enum class Mode : std::uint8_t {
    hold,         // they wait in held_ for the line's end
    pass,         // nothing in them matters any more
    pass_blanks,  // more than kMaxLine blanks: only further blanks may follow
    drop,
  };

  struct TagLine {
    const Tag *tag = nullptr;   // null: a comment or a tag that is not known
    std::string_view value;     // what follows the ':'
    bool open = false;          // null so far, but the name may go on behind the text
  };

  // A value of a tag that is a URI.
  struct UriValue {
    std::string_view text;
    const UriAttribute *attribute;
    bool unterminated;
  };

  // What a tag's attributes say about the URIs among them, wherever they stand in the list.
  struct AttributeFacts {
    bool byterange = false;
    bool part_hint = false;
    UriKind hint = UriKind::segment;
    bool key_format = false, identity = false;
    bool method = false, encrypted = false;
  };

  static TagLine read_tag(const char *hash, const char *end);
  void read_bom(std::string_view &in);
  RewriteError feed_block(const char *&at, const char *end);
  const char *end_line(const char *line_end, const char *end);
  RewriteError partial_line(const char *at, const char *end, bool ends);
  RewriteError held_line();
  RewriteError overlong_line();
  RewriteError pass_early();
  RewriteError line(const char *at, const char *end);
  enum class Extent : std::uint8_t { whole, beginning, overlong };   // how much of a line is looked at
  RewriteError find_hidden(const TagLine &line, const char *hash, const char *end, Extent extent);

  RewriteError tag(const Tag &tag, const char *hash, std::string_view value);
  RewriteError attributes(const Tag &tag, std::string_view list);
  void note(TagRole role, const Attribute &attribute, AttributeFacts &facts);
  RewriteError rewrite_values(const Tag &tag, const AttributeFacts &facts, std::size_t count);
  static bool rewrites_key(const AttributeFacts &facts);
  void skip_segments(std::string_view list);
  RewriteError define(const char *hash, std::string_view list);
  RewriteError define_query_parameter(const char *hash, std::string_view name, const char *end);
  RewriteError define_value(std::string_view name, std::string_view value);

  RewriteError uri_line(std::string_view text);
  RewriteError uri(std::string_view text, UriKind kind, const Position *at, bool absolute);
  Position position(std::int32_t part);
  UriKind media_kind() const { return map_ ? UriKind::fragment : UriKind::segment; }
  std::string_view child_variables();

  void flush_to(const char *to);

  LinkWriter &links_;
  const Url base_;

  // The input. Bytes from run_ on are to be copied as they are; they lie in the input or in held_.
  Output *out_ = nullptr;
  const char *run_ = nullptr;
  std::string held_;
  Mode mode_ = Mode::hold;
  bool decided_ = false;        // held_ has been found to be of interest
  bool dropped_ = false;        // the line that was just read vanishes
  bool after_cr_ = false;       // the input ended with CR: an LF still belongs to that line's end
  bool drop_lf_ = false;
  bool last_line_ = false;      // it has no line end
  HiddenLine hidden_;           // what was passed of a line that is not held
  std::uint8_t bom_ = 0;        // bytes of a byte order mark seen; kBomRead: no more to come
  std::uint64_t line_number_ = 1;

  // The playlist so far.
  bool media_ = false, multivariant_ = false;
  bool map_ = false;            // EXT-X-MAP was seen, or an EXT-X-SKIP that may stand for one
  bool images_only_ = false;
  bool playlist_pending_ = false;   // the next URI line is that of an EXT-X-STREAM-INF
  std::uint64_t media_sequence_ = 0, skipped_ = 0, segments_ = 0;
  bool has_parent_ = false;
  std::uint32_t parent_ = 0;    // Position::parent of all links

  // The segment whose URI line is still to come.
  bool timed_ = false;          // EXTINF with a duration over 0
  bool byterange_ = false, tiles_ = false;
  std::int32_t parts_ = 0;

  Variables variables_;         // of this playlist
  unsigned defines_ = 0;        // EXT-X-DEFINE lines seen
  std::string encoded_;         // variables_.encode(), where children get them; empty: not made yet
  Variables imported_;          // of the multivariant playlist
  std::string inherited_;       // imported_.encode()

  std::array<UriValue, kMaxUris> uris_;   // scratch: of one tag
  Url resolved_;                // scratch
  std::string expanded_;        // scratch
  std::size_t expanded_in_line_ = 0;
};

}  // namespace hls

#endif
