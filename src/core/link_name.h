// The file name that a link ends in: players pick the demuxer by it, or refuse to play.

#ifndef HLS_LINK_NAME_H
#define HLS_LINK_NAME_H

#include <cstddef>
#include <string_view>

#include "link.h"

namespace hls {

constexpr std::size_t kMaxLinkName = 128;

struct LinkName {
  std::string_view text;   // into the upstream name, `buffer` or a literal
  bool same;               // it is the upstream name: no need to carry that along
  LinkKind kind;
};

/// `upstream` is kept byte for byte where it is plainly safe in a URL and its extension is one that
/// players accept for `kind`; else unsafe bytes become '_' and the extension that `kind` calls for is
/// put behind; too long a name is cut before its extension. `buffer` holds kMaxLinkName bytes.
LinkName link_name(UriKind kind, std::string_view upstream, char *buffer);

/// The extension is one of a media file: such a response takes Range requests.
bool is_media_name(std::string_view name);

/// Only bytes that link_name() would write.
bool is_link_name(std::string_view name);

}  // namespace hls

#endif
