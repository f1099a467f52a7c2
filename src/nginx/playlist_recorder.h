// Remembers what stands where in a playlist that passes, so that its URLs can be rebound when they die.

#ifndef NGX_HTTP_HLS_PROXY_PLAYLIST_RECORDER_H
#define NGX_HTTP_HLS_PROXY_PLAYLIST_RECORDER_H

#include <memory>
#include <string>
#include <string_view>

#include "core/playlist_index.h"
#include "hls_proxy.h"

namespace hls_proxy {

class PlaylistRecorder {
public:
  /// Null where there is nothing to remember: a source without resolver, a playlist that is known already, or of
  /// no known generation.
  static std::unique_ptr<PlaylistRecorder> create(ngx_http_request_t *r, const RequestContext &ctx);

  void feed(std::string_view bytes);
  void finish();

private:
  PlaylistRecorder(Zone &zone, const RequestContext &ctx, std::uint64_t number);

  Zone &zone_;
  std::string stream_;
  std::uint64_t number_;
  hls::PlaylistIndexer indexer_;
  bool failed_ = false;
};

}  // namespace hls_proxy

#endif
