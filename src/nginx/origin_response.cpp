// What an origin's body is must be known before its header goes out: a playlist loses its length and its
// validators, an HTML page must become an error. So we stand behind the upstream's process_header and hold
// it back until the first bytes of the body are there, most often with the header itself.

#include "core/content_decoder.h"
#include "hls_proxy.h"
#include "playlist_fetch.h"

namespace hls_proxy {

namespace {

// What is in the buffer behind the header, and whether that is all there will be.
std::optional<hls::BodyKind> look_at_body(ngx_http_request_t *r, std::string &coding) {
  ngx_http_upstream_t *u = r->upstream;
  std::string_view bytes(reinterpret_cast<char *>(u->buffer.pos),
                         static_cast<size_t>(u->buffer.last - u->buffer.pos));
  bool chunked = u->headers_in.chunked;
  bool complete = !chunked && u->headers_in.content_length_n >= 0 &&
                  bytes.size() >= static_cast<size_t>(u->headers_in.content_length_n);
  coding = content_coding(u->headers_in.headers);
  return sniff_body(bytes, chunked, coding, complete);
}

// The request that went upstream decides, not the client's: proxy_method and the cache change it.
bool has_body(ngx_http_request_t *r) {
  ngx_uint_t status = r->upstream->headers_in.status_n;
  if (status == NGX_HTTP_NO_CONTENT || status == NGX_HTTP_NOT_MODIFIED) return false;
  ngx_chain_t *request = r->upstream->request_bufs;
  // From its start: what has been sent is behind pos.
  return !(request && request->buf->last - request->buf->start > 5 &&
           ngx_strncmp(request->buf->start, "HEAD ", 5) == 0);
}

ngx_int_t invalid(ngx_http_request_t *r, RequestContext &ctx, const char *reason) {
  ctx.invalid = true;
  ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "hls_proxy: the origin answered %ui %s",
                r->upstream->headers_in.status_n, reason);
  return NGX_HTTP_UPSTREAM_INVALID_HEADER;
}

// Why a body must not reach a player, or null.
const char *what_is_wrong(const RequestContext &ctx, bool decodes, const std::string &coding) {
  if (!decodes) return "with a body that its chunks or its content coding do not fit";
  if (hls::parse_content_coding(coding) == hls::ContentCoding::unknown) {
    return "in a content coding that was not asked for and is not known";
  }
  switch (ctx.body) {
    case hls::BodyKind::undecided: return "with a header that leaves no room for its body: raise proxy_buffer_size";
    case hls::BodyKind::disguised: return "with nothing but blanks where a playlist or media should begin";
    case hls::BodyKind::html:
      return ctx.link.kind == hls::LinkKind::playlist ? "with an HTML page where a playlist should be"
                                                      : "with an HTML page where media should be";
    default: return nullptr;
  }
}

ngx_int_t judge_body(ngx_http_request_t *r, RequestContext &ctx) {
  ngx_http_upstream_t *u = r->upstream;
  // nginx would send an interim answer's "body" on as it is; a playlist would hide there.
  if (u->headers_in.status_n < 200) return invalid(r, ctx, "where a final status should be");
  if (!has_body(r) || is_redirect(u->headers_in.status_n)) {
    ctx.body = hls::BodyKind::other;
    return NGX_OK;
  }

  std::string coding;
  auto body = look_at_body(r, coding);
  ctx.body = body.value_or(hls::BodyKind::other);
  if (ctx.body == hls::BodyKind::undecided && u->buffer.last < u->buffer.end) return NGX_AGAIN;

  const char *wrong = what_is_wrong(ctx, body.has_value(), coding);
  // The cache would not know where it was found, and its references are resolved against that.
  bool rewritten = ctx.body == hls::BodyKind::playlist || ctx.body == hls::BodyKind::json;
  if (rewritten && ctx.link.kind == hls::LinkKind::media && ctx.target.text() != ctx.url.text()) u->cacheable = 0;
  if (wrong == nullptr) return NGX_OK;
  if (u->headers_in.status_n < 300) return invalid(r, ctx, wrong);
  // An error may come with a page, but not with one that could be a playlist in disguise.
  ctx.status_only = ctx.body != hls::BodyKind::html;
  return NGX_OK;
}

ngx_int_t note_status(ngx_http_request_t *r, RequestContext &ctx) {
  ngx_http_upstream_t *u = r->upstream;
  ctx.status = u->headers_in.status_n;
  if (playlist_fetch_of(r)) u->cacheable = 0;   // nobody asks for the same again
  if (ctx.status < 300) return NGX_OK;
  // A Cache-Control of its own must not keep an error alive; what lies behind a redirect has its place.
  u->cacheable = 0;
  if (is_redirect(ctx.status) && u->headers_in.location) ctx.location = view(u->headers_in.location->value);
  if (ctx.status >= 400) ctx.refusal = ctx.status;
  if (ctx.clone && ctx.refusal) refresh_for_others(r, ctx);
  return NGX_OK;
}

// What an earlier try at another address left.
void forget_answer(RequestContext &ctx) {
  ctx.header_done = false;
  ctx.body = hls::BodyKind::undecided;
  ctx.status = 0;
  ctx.invalid = false;
  ctx.location.clear();
}

ngx_int_t process_header(ngx_http_request_t *r) {
  RequestContext &ctx = *own_context(r);
  if (!ctx.header_done) {
    // The upstream replaces its own handler while it reads; ours steps aside meanwhile.
    r->upstream->process_header = ctx.process_header;
    ngx_uint_t client_version = r->http_version;
    ngx_int_t rc = ctx.process_header(r);
    // Whatever is no HTTP nginx takes for HTTP/0.9, and passes on.
    bool nonsense = r->http_version == NGX_HTTP_VERSION_9 && client_version != NGX_HTTP_VERSION_9;
    r->http_version = client_version;
    ctx.process_header = r->upstream->process_header;
    r->upstream->process_header = process_header;
    if (rc == NGX_OK && nonsense) return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    if (rc != NGX_OK || r->cached) return rc;
    ctx.header_done = true;
    rc = guarded(static_cast<ngx_int_t>(NGX_ERROR), [&] { return note_status(r, ctx); });
    if (rc != NGX_OK) return rc;
  }
  return guarded(static_cast<ngx_int_t>(NGX_ERROR), [&] { return judge_body(r, ctx); });
}

// An error that was got over has no say in how long the answer is kept.
void restore_cacheable(ngx_http_request_t *r, const RequestContext &ctx) {
#if (NGX_HTTP_CACHE)
  r->upstream->cacheable = ctx.cacheable;
  if (r->cache) r->cache->valid_sec = ctx.valid_sec;
#endif
}

ngx_int_t reinit_request(ngx_http_request_t *r) {
  RequestContext &ctx = *own_context(r);
  ngx_int_t rc = ctx.reinit_request(r);
  ctx.process_header = r->upstream->process_header;
  r->upstream->process_header = process_header;
  forget_answer(ctx);
  restore_cacheable(r, ctx);
  return rc;
}

}  // namespace

void watch_response(ngx_http_request_t *r, RequestContext &ctx) {
  ngx_http_upstream_t *u = r->upstream;
  ctx.asked = true;
  if (auto *fetch = playlist_fetch_of(r)) fetch->asked = true;
  if (u->process_header == process_header) return;
  ctx.process_header = u->process_header;
  ctx.reinit_request = u->reinit_request;
  forget_answer(ctx);
#if (NGX_HTTP_CACHE)
  ctx.cacheable = u->cacheable;
  ctx.valid_sec = r->cache ? r->cache->valid_sec : 0;
#endif
  u->process_header = process_header;
  u->reinit_request = reinit_request;
}

std::optional<hls::BodyKind> sniff_body(std::string_view bytes, bool chunked, std::string_view coding,
                                         bool complete) {
  std::string body;
  if (chunked) {
    if (!hls::unchunk_prefix(bytes, body, complete)) return std::nullopt;
    bytes = body;
  }
  hls::ContentCoding parsed = hls::parse_content_coding(coding);
  if (parsed == hls::ContentCoding::identity || parsed == hls::ContentCoding::unknown) {
    return hls::sniff(bytes, complete);
  }

  auto decoder = hls::ContentDecoder::create(parsed);
  char decoded[hls::kSniffBytes];
  size_t size = 0;
  using Status = hls::ContentDecoder::Status;
  for (Status status = Status::output; status == Status::output && size < sizeof(decoded);) {
    size_t written = 0;
    status = decoder->decode(bytes, decoded + size, sizeof(decoded) - size, written);
    size += written;
    if (status == Status::error) return std::nullopt;
    if (status == Status::done) complete = true;
  }
  return hls::sniff({decoded, size}, complete);
}

std::string content_coding(const ngx_list_t &headers) {
  std::string coding;
  each_header(headers, [&](ngx_table_elt_t &h) {
    if (!same_name(view(h.key), "Content-Encoding")) return;
    if (!coding.empty()) coding += ',';
    coding += view(h.value);
  });
  return coding;
}

}  // namespace hls_proxy
