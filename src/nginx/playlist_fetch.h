// Fetching a playlist of a fresh generation, for nobody's request: through the location of the link that died, so
// with the same settings and on the same way out.

#ifndef NGX_HTTP_HLS_PROXY_PLAYLIST_FETCH_H
#define NGX_HTTP_HLS_PROXY_PLAYLIST_FETCH_H

#include <string>

#include "hls_proxy.h"

namespace hls_proxy {

/// What link_phase does in place of opening a link, for an InternalRequest that has this as its data.
struct PlaylistFetch {
  Source *source;
  hls::Link link;            // stream, kind and url: what is asked for
  hls::Url target;           // the same behind redirects
  hls::Generation generation;
  std::string serial;        // keeps it apart in the cache
  bool asked = false;        // its origin was; false: the location itself answered
};

/// Null for a request that is no such fetch.
PlaylistFetch *playlist_fetch_of(ngx_http_request_t *r);

/// Fetches `url`, a playlist of `generation`, into the worker's StreamMemory of the link's stream, and wakes who waits
/// for that. `inherited`: the variables of its multivariant playlist. False: no memory.
bool fetch_playlist(ngx_http_request_t *r, const Source &source, const hls::Link &link,
                    const hls::Generation &generation, const hls::Url &url, const std::string &inherited);
/// How many this worker has under way.
unsigned playlist_fetches();

}  // namespace hls_proxy

#endif
