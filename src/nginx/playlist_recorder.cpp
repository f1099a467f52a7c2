#include "playlist_recorder.h"

#include "rebinding.h"
#include "zone.h"

namespace hls_proxy {

PlaylistRecorder::PlaylistRecorder(Zone &zone, const RequestContext &ctx, std::uint64_t number)
    : zone_(zone), stream_(ctx.link.stream_text), number_(number),
      indexer_(ctx.url, ctx.target, ctx.link.variables) {}

std::unique_ptr<PlaylistRecorder> PlaylistRecorder::create(ngx_http_request_t *r, const RequestContext &ctx) {
  // Who filled the cache has recorded it, as what it was then.
  if (ctx.source->resolver.empty() || !ctx.generation || r->cached) return nullptr;
  Zone &zone = *main_conf(r).zone;
  std::uint64_t number = ctx.generation->number;
  bool newest = ctx.rebound || ctx.url.text() == ctx.generation->answer.url.text();
  if (!newest) number = generation_of(zone, ctx.link, ctx.url, Which::any);
  if (number == 0 || !zone.wants(ctx.link.stream_text, number, hls::mark_of(ctx.target))) return nullptr;
  return std::unique_ptr<PlaylistRecorder>(new PlaylistRecorder(zone, ctx, number));
}

void PlaylistRecorder::feed(std::string_view bytes) {
  if (!failed_) failed_ = indexer_.feed(bytes) != hls::IndexError::none;
}

// A delta update (EXT-X-SKIP) says less than the whole playlist that is known already.
void PlaylistRecorder::finish() {
  hls::PlaylistIndex index;
  if (failed_ || indexer_.finish(index) != hls::IndexError::none || index.skipped) return;
  zone_.remember(stream_, number_, index);
}

}  // namespace hls_proxy
