// Header and body filter. A response with a link gets the header rules; one that is a playlist, or JSON
// that can name URLs, is rewritten.

#include "core/link_name.h"
#include "core/response_headers.h"
#include "hls_proxy.h"
#include "internal_request.h"
#include "rewritten_response.h"

namespace hls_proxy {

namespace {

ngx_http_output_header_filter_pt next_header_filter;
ngx_http_output_body_filter_pt next_body_filter;

hls::BodyKind sniff_cached(ngx_http_request_t *r) {
#if (NGX_HTTP_CACHE)
  // The file is open and its first block is at hand: nginx has just read the header from it.
  u_char buffer[hls::kSniffBytes + 64];
  ssize_t n = ngx_read_file(&r->cache->file, buffer, sizeof(buffer), static_cast<off_t>(r->cache->body_start));
  if (n < 0) return hls::BodyKind::undecided;
  std::string_view bytes(reinterpret_cast<char *>(buffer), static_cast<size_t>(n));
  auto body = sniff_body(bytes, false, content_coding(r->headers_out.headers), bytes.size() < sizeof(buffer));
  return body.value_or(hls::BodyKind::undecided);
#else
  return hls::BodyKind::undecided;
#endif
}

bool is_json(ngx_http_request_t *r, const RequestContext &ctx) {
  if (ctx.body != hls::BodyKind::json || r->headers_out.status >= 300) return false;
  ngx_str_t type = r->headers_out.content_type;
  std::string_view name = ctx.link.url.name();
  static u_char json[] = "json";
  return ctx.link.kind == hls::LinkKind::playlist ||
         (type.len && ngx_strlcasestrn(type.data, type.data + type.len, json, sizeof(json) - 2)) ||
         (name.size() > 5 && same_name(name.substr(name.size() - 5), ".json"));
}

// A playlist answers a Range for all of it (ffmpeg asks everything from 0- on) as if there had been none.
// The upstream's header tells: the slice filter has turned its 206 into a 200 before us.
bool is_whole(const ngx_http_upstream_headers_in_t &in) {
  if (in.status_n != NGX_HTTP_PARTIAL_CONTENT) return true;
  off_t length = in.content_length_n;
  u_char expected[64];
  u_char *end = ngx_snprintf(expected, sizeof(expected), "bytes 0-%O/%O", length - 1, length);
  return length > 0 && header_value(in.headers, "content-range") ==
                           std::string_view(reinterpret_cast<char *>(expected), static_cast<size_t>(end - expected));
}

void clear_header(ngx_table_elt_t *&header) {
  if (header == nullptr) return;
  header->hash = 0;
  header = nullptr;
}

void prepare_rewritten_headers(ngx_http_request_t *r, bool playlist) {
  ngx_http_headers_out_t &out = r->headers_out;
  each_header(out.headers, [](ngx_table_elt_t &h) {
    if (hls::is_body_header(view(h.key))) h.hash = 0;
  });
  if (out.status == NGX_HTTP_PARTIAL_CONTENT) {
    out.status = NGX_HTTP_OK;
    out.status_line.len = 0;
    out.content_offset = 0;
  }
  clear_header(out.content_range);
  clear_header(out.content_encoding);
  ngx_http_clear_content_length(r);
  ngx_http_clear_accept_ranges(r);
  ngx_http_clear_last_modified(r);
  ngx_http_clear_etag(r);
  r->allow_ranges = 0;
  if (!playlist) return;
  out.content_type = {hls::kPlaylistType.size(),
                      reinterpret_cast<u_char *>(const_cast<char *>(hls::kPlaylistType.data()))};
  out.content_type_len = hls::kPlaylistType.size();
  out.content_type_lowcase = nullptr;
}

ngx_int_t refuse(ngx_http_request_t *r, RequestContext &ctx, const char *reason) {
  ctx.refused = true;
  return send_refusal(r, reason);
}

ngx_int_t start_rewriting(ngx_http_request_t *r, RequestContext &ctx, bool playlist) {
  hls::ContentCoding coding = hls::parse_content_coding(content_coding(r->headers_out.headers));
  if (coding == hls::ContentCoding::unknown) return refuse(r, ctx, "a playlist in an unknown content coding");
  if (!is_whole(r->upstream->headers_in)) return refuse(r, ctx, "a part of a playlist cannot be rewritten");
  if (r->headers_out.content_length_n > static_cast<off_t>(location_conf(r).max_playlist)) {
    return refuse(r, ctx, "a playlist is larger than hls_proxy_max_playlist");
  }
  prepare_rewritten_headers(r, playlist);
  if (r->method == NGX_HTTP_HEAD) return next_header_filter(r);

  hls::LinkScope scope;
  if (!make_scope(r, ctx.link, *ctx.source, scope)) return NGX_ERROR;
  ctx.response = pool_new<RewrittenResponse>(
      r->pool, r, ctx, playlist ? RewrittenResponse::Document::playlist : RewrittenResponse::Document::json, coding,
      std::move(scope));
  if (ctx.response == nullptr) return NGX_ERROR;
  r->filter_need_in_memory = 1;
  return NGX_OK;   // the header waits for the first rewritten bytes
}

bool is_unclear(hls::BodyKind body) {
  return body == hls::BodyKind::undecided || body == hls::BodyKind::disguised;
}

// The status alone goes on, with nginx's own page. A header filter's return value does that.
ngx_int_t own_page(ngx_http_request_t *r, RequestContext &ctx) {
  ngx_uint_t status = r->headers_out.status;
  ngx_http_clean_header(r);
  ctx.refused = true;
  return static_cast<ngx_int_t>(status);
}

// The origin's page would tell where it leads.
ngx_int_t redirect(ngx_http_request_t *r, RequestContext &ctx, std::string_view location) {
  std::string target(location);
  ngx_int_t status = own_page(r, ctx);
  return link_redirect(r, ctx, target) ? status : refuse(r, ctx, "the origin redirects to what cannot be linked");
}

ngx_int_t filter_link_response(ngx_http_request_t *r, RequestContext &ctx) {
  if (r->cached) ctx.body = sniff_cached(r);
#if (NGX_HTTP_CACHE)
  // An old copy took the place of an error (proxy_cache_use_stale): nobody would ever see that the URL is dead.
  if (r->cached && ctx.asked && r->upstream->cache_status == NGX_HTTP_CACHE_STALE) refresh_for_others(r, ctx);
#endif
  if (r->cached && r->headers_out.status == NGX_HTTP_OK &&
      (ctx.body == hls::BodyKind::html || is_unclear(ctx.body))) {
    return refuse(r, ctx, "what is in the cache is neither a playlist nor media");
  }
  ngx_uint_t status = r->headers_out.status;
  if (status < 400 || status == NGX_HTTP_RANGE_NOT_SATISFIABLE) note_success(r, ctx);
  bool playlist = ctx.body == hls::BodyKind::playlist, json = is_json(r, ctx);
  std::string_view location = header_value(r->headers_out.headers, "location");
  clean_response_headers(r, ctx);
  if (is_redirect(r->headers_out.status)) return redirect(r, ctx, location);
  if (ctx.status_only) return own_page(r, ctx);
  if (r->headers_out.status < 300 &&
      hls::parse_content_coding(content_coding(r->headers_out.headers)) == hls::ContentCoding::unknown) {
    return refuse(r, ctx, "the origin used a content coding that is not known");
  }
  add_cors_headers(r);
  if (playlist || json) return start_rewriting(r, ctx, playlist);
  ctx.unseen = ctx.body == hls::BodyKind::undecided && r->method != NGX_HTTP_HEAD;
  if (!ctx.unseen || ctx.link.kind == hls::LinkKind::media) return next_header_filter(r);
  r->allow_ranges = 0;
  return NGX_OK;
}

// Not so for nginx's own pages, which come while the upstream is already let go.
bool is_relayed(ngx_http_request_t *r) {
  ngx_http_upstream_t *u = r->upstream;
  if (u == nullptr || (!r->cached && u->cleanup == nullptr)) return false;
  ngx_uint_t status = r->headers_out.status;   // slice and not_modified filters may have changed it
  return status == u->headers_in.status_n || status == NGX_HTTP_OK || status == NGX_HTTP_NOT_MODIFIED;
}

ngx_int_t header_filter(ngx_http_request_t *r) {
  if (InternalRequest::owns(r)) return InternalRequest::capture_header(r);
  LocationConf &conf = location_conf(r);
  if (!conf.enable && !conf.entry && !conf.refresh) return next_header_filter(r);
  return guarded(static_cast<ngx_int_t>(NGX_ERROR), [&] {
    RequestContext *ctx = own_context(r);
    if (ctx && ctx->clone) return next_header_filter(r);
    bool linked = ctx && ctx->state == hls::LinkState::ok && !ctx->refused;
    if (linked && is_relayed(r)) return filter_link_response(r, *ctx);
    if (r == r->main) add_cors_headers(r);
    return next_header_filter(r);
  });
}

// Behind an upstream that could not be watched (`proxy_pass $hls_proxy_url`) the first buffer of the body
// decides. The header of a playlist link has waited for it; that of media, which may have a Range to cut,
// could not: a playlist there is broken off.
ngx_int_t see_first_bytes(ngx_http_request_t *r, RequestContext &ctx, ngx_chain_t *in) {
  std::string_view bytes;
  bool last = false;
  for (; in && bytes.empty() && !last; in = in->next) {
    if (ngx_buf_in_memory(in->buf)) {
      bytes = {reinterpret_cast<char *>(in->buf->pos), static_cast<size_t>(in->buf->last - in->buf->pos)};
    }
    last = in->buf->last_buf;
  }
  if (bytes.empty() && !last) return NGX_AGAIN;

  ctx.unseen = false;
  auto body = sniff_body(bytes, false, content_coding(r->headers_out.headers), last);
  ctx.body = body.value_or(hls::BodyKind::undecided);
  bool playlist = ctx.body == hls::BodyKind::playlist;
  if (is_unclear(ctx.body) || (playlist && ctx.link.kind == hls::LinkKind::media)) {
    return refuse(r, ctx, "what may be a playlist came too late to be rewritten: "
                          "use $hls_proxy_pass, or an upstream block");
  }
  if (ctx.link.kind == hls::LinkKind::media) return NGX_OK;
  if (playlist || is_json(r, ctx)) return start_rewriting(r, ctx, playlist);
  return next_header_filter(r);
}

ngx_int_t body_filter(ngx_http_request_t *r, ngx_chain_t *in) {
  if (InternalRequest::owns(r)) return InternalRequest::capture_body(r, in);
  RequestContext *ctx = own_context(r);
  bool ours = ctx && !ctx->refused && (ctx->response || ctx->unseen) && !r->header_only;
  if (!ours) return next_body_filter(r, in);
  return guarded(static_cast<ngx_int_t>(NGX_ERROR), [&]() -> ngx_int_t {
    if (ctx->unseen) {
      ngx_int_t rc = see_first_bytes(r, *ctx, in);
      if (rc != NGX_OK) return rc == NGX_AGAIN ? NGX_OK : NGX_ERROR;
    }
    return ctx->response ? ctx->response->filter(in) : next_body_filter(r, in);
  });
}

}  // namespace

ngx_int_t next_header(ngx_http_request_t *r) { return next_header_filter(r); }
ngx_int_t next_body(ngx_http_request_t *r, ngx_chain_t *in) { return next_body_filter(r, in); }

ngx_int_t send_refusal(ngx_http_request_t *r, const std::string &text) {
  ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "hls_proxy: %s", text.c_str());
  ngx_str_t body = pool_string(r->pool, "hls_proxy: " + text + ".\n");
  auto *b = static_cast<ngx_buf_t *>(ngx_calloc_buf(r->pool));
  if (body.data == nullptr || b == nullptr || r->header_sent) return NGX_ERROR;

  ngx_http_clean_header(r);
  r->keepalive = 0;
  r->allow_ranges = 0;
  r->headers_out.status = NGX_HTTP_BAD_GATEWAY;
  r->headers_out.content_length_n = static_cast<off_t>(body.len);
  ngx_str_set(&r->headers_out.content_type, "text/plain");
  r->headers_out.content_type_len = r->headers_out.content_type.len;
  add_cors_headers(r);
  add_header(r, "X-Content-Type-Options", "nosniff");
  ngx_int_t rc = next_header_filter(r);
  if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) return NGX_ERROR;

  b->pos = body.data;
  b->last = body.data + body.len;
  b->memory = 1;
  b->last_buf = r == r->main;
  b->last_in_chain = 1;
  ngx_chain_t out = {b, nullptr};
  next_body_filter(r, &out);
  return NGX_ERROR;
}

ngx_int_t install_filters(ngx_conf_t *) {
  next_header_filter = ngx_http_top_header_filter;
  ngx_http_top_header_filter = header_filter;
  next_body_filter = ngx_http_top_body_filter;
  ngx_http_top_body_filter = body_filter;
  return NGX_OK;
}

}  // namespace hls_proxy
