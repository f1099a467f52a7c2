// JSON documents that carry URIs: asset lists (RFC 8216bis appendix D), date-range schedules and
// chapter lists (com.apple.hls.chapters).

#ifndef HLS_JSON_REWRITER_H
#define HLS_JSON_REWRITER_H

#include <string>
#include <string_view>

#include "link.h"
#include "url.h"

namespace hls {

enum class JsonResult {
  rewritten,
  not_hls,     // valid JSON of another shape: goes out as it is
  invalid,     // not JSON, too deep, or a URI too long
};

/// Deeper nesting is invalid.
constexpr std::size_t kMaxJsonDepth = 64;

/// `out` is set for rewritten only. Links in JSON are absolute. As in playlists all but the URIs is
/// copied byte for byte, so no number loses a digit and duplicate members are all rewritten.
JsonResult rewrite_json(std::string_view text, const Url &base, LinkWriter &links, std::string &out);

}  // namespace hls

#endif
