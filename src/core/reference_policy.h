// What becomes of a reference: one rule for playlists and for JSON documents.

#ifndef HLS_REFERENCE_POLICY_H
#define HLS_REFERENCE_POLICY_H

#include <string_view>

#include "link.h"
#include "url.h"

namespace hls {

enum class ReferenceUse : std::uint8_t {
  keep,      // not fetched over HTTP, the document itself, or one of our links
  link,      // `url` holds what to link to
  dead,      // http or https, yet nothing that can be requested
  too_long,  // over LinkWriter::kMaxUrl, and not of a scheme to keep (data: URIs are long)
};

/// Links of ours are known by scheme and host: a path alone means upstream's, whatever it looks like.
inline bool is_link_below(std::string_view base, std::string_view ref) {
  if (base.empty() || base.front() == '/' || ref.substr(0, base.size()) != base) return false;
  ref.remove_prefix(base.size());
  return ref.substr(0, 10) == "/playlist/" || ref.substr(0, 7) == "/media/";
}

/// `ref` has no blanks around it. `url` is scratch, and must not be `base`.
inline ReferenceUse judge_reference(const LinkScope &scope, const Url &base, std::string_view ref, Url &url) {
  if (is_link_below(scope.public_base, ref) || is_link_below(scope.base, ref)) return ReferenceUse::keep;
  Reference reference = resolve_reference(base, ref, url);
  if (reference == Reference::other || reference == Reference::same_document) return ReferenceUse::keep;
  if (ref.size() > LinkWriter::kMaxUrl) return ReferenceUse::too_long;
  return reference == Reference::http ? ReferenceUse::link : ReferenceUse::dead;
}

}  // namespace hls

#endif
