// Finding the URL that takes the place of one that died, by the rules of core/rebind.h.

#ifndef NGX_HTTP_HLS_PROXY_REBINDING_H
#define NGX_HTTP_HLS_PROXY_REBINDING_H

#include <string>

#include "core/rebind.h"
#include "hls_proxy.h"

namespace hls_proxy {

struct Rebinding {
  enum class State { done, waiting } state = State::done;
  hls::Rebound rebound;
  std::string variables;    // of a rebound playlist: what takes the place of the link's v
  std::string reason;       // where there is no url: for the log
  bool fresh_is_dead = false;   // the fresh generation's own playlist was refused by its origin
};

/// The URL that takes the place of the link's in `fresh`. Waiting: playlists are being fetched; a Wait for the stream
/// is woken when they are there.
Rebinding rebind(ngx_http_request_t *r, const Source &source, const hls::Link &link, const hls::Generation &fresh);

enum class Which { any, dead };
/// The newest generation (of those whose links are known to be dead, or of all) in which the URL occurs; 0: none.
std::uint64_t generation_of(Zone &zone, const hls::Link &link, const hls::Url &url, Which which);

}  // namespace hls_proxy

#endif
