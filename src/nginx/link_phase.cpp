// Preaccess phase of `hls_proxy on`: no link, no bytes.

#include "hls_proxy.h"
#include "core/link_name.h"

namespace hls_proxy {

namespace {

ngx_int_t status_of(hls::LinkState state) {
  switch (state) {
    case hls::LinkState::ok: return NGX_OK;
    case hls::LinkState::malformed: return NGX_HTTP_BAD_REQUEST;
    case hls::LinkState::bad_signature: return NGX_HTTP_FORBIDDEN;
    case hls::LinkState::expired: return 410;
  }
  return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

ngx_int_t refuse(ngx_http_request_t *r, ngx_int_t status, const char *reason) {
  ngx_log_error(NGX_LOG_INFO, r->connection->log, 0, "hls_proxy: link refused (%i): %s", status, reason);
  return status;
}

ngx_int_t open(ngx_http_request_t *r, RequestContext &ctx) {
  Base base;
  std::string bind;
  if (!evaluate(r, location_conf(r).bind, bind)) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  if (!request_base(r, base)) return refuse(r, NGX_HTTP_BAD_REQUEST, "Host or hls_proxy_base is no part of a URL");
  std::string_view path = view(r->uri);
  if (path.substr(0, base.path.size()) != base.path) {
    return refuse(r, NGX_HTTP_NOT_FOUND, "the path is not below hls_proxy_base");
  }

  const char *reason;
  ctx.state = hls::open_link(path.substr(base.path.size()), view(r->args), server_conf(r).keys, bind,
                             static_cast<uint64_t>(ngx_time()), ctx.link, reason);
  if (ctx.state != hls::LinkState::ok) return refuse(r, status_of(ctx.state), reason);

  ctx.source = main_conf(r).source(ctx.link.stream.source);
  if (ctx.source == nullptr || ctx.source->key.size() != ctx.link.stream.values.size()) {
    return refuse(r, NGX_HTTP_NOT_FOUND, "its source is no longer configured with this key");
  }

  ctx.upstream_uri = ctx.link.url.path_and_query();
  if (!ctx.link.foreign.empty()) {
    std::string query = hls::query_with(ctx.link.url.query(), ctx.link.foreign);
    if (ctx.link.url.has_query()) ctx.upstream_uri.resize(ctx.upstream_uri.find('?'));
    ctx.upstream_uri += '?' + query;
  }
  return NGX_OK;
}

ngx_int_t link_phase_unguarded(ngx_http_request_t *r) {
  RequestContext *ctx = own_context(r);
  if (ctx) {   // back from the resolver
    return ctx->origin.lookup == Origin::Lookup::running ? NGX_AGAIN : NGX_DECLINED;
  }

  if (r->content_handler == nullptr) {
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "hls_proxy: \"hls_proxy on\" without proxy_pass: include hls_proxy_params in this location");
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  ngx_int_t rc = check_method(r);
  if (rc != NGX_DECLINED) return rc;

  hide_arguments_in_log(r);
  ctx = pool_new<RequestContext>(r->pool);
  if (ctx == nullptr) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  ngx_http_set_ctx(r, ctx, ngx_http_hls_proxy_module);

  rc = open(r, *ctx);
  if (rc != NGX_OK) return rc;
  return origin_lookup(r, *ctx);
}

}  // namespace

ngx_int_t link_phase(ngx_http_request_t *r) {
  if (!location_conf(r).enable) return NGX_DECLINED;
  return guarded(static_cast<ngx_int_t>(NGX_HTTP_INTERNAL_SERVER_ERROR), [&] { return link_phase_unguarded(r); });
}

ngx_int_t header_phase(ngx_http_request_t *r) {
  RequestContext *ctx = own_context(r);
  if (!location_conf(r).enable || ctx == nullptr || ctx->clone || ctx->state != hls::LinkState::ok) {
    return NGX_DECLINED;
  }
  bool done = guarded(false, [&] { return replace_request_headers(r, *ctx); });
  return done ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
}

ngx_int_t check_method(ngx_http_request_t *r) {
  if (r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) return NGX_DECLINED;
  if (r->method == NGX_HTTP_OPTIONS) return NGX_HTTP_NO_CONTENT;
  add_header(r, "Allow", "GET, HEAD, OPTIONS");
  return NGX_HTTP_NOT_ALLOWED;
}

RequestContext *own_context(ngx_http_request_t *r) {
  return static_cast<RequestContext *>(ngx_http_get_module_ctx(r, ngx_http_hls_proxy_module));
}

RequestContext *link_context(ngx_http_request_t *r) {
  RequestContext *ctx = own_context(r);
  return ctx || r == r->main ? ctx : own_context(r->main);
}

RequestContext *clone_context(ngx_http_request_t *r) {
  RequestContext *parent = own_context(r->main);
  if (parent == nullptr || parent->state != hls::LinkState::ok) return nullptr;
  auto *ctx = pool_new<RequestContext>(r->pool);
  if (ctx == nullptr) return nullptr;
  ctx->state = parent->state;
  ctx->link = parent->link;
  ctx->source = parent->source;
  ctx->upstream_uri = parent->upstream_uri;
  ctx->origin.lookup = parent->origin.lookup;
  ctx->origin.addresses = parent->origin.addresses;
  ctx->clone = true;
  ngx_http_set_ctx(r, ctx, ngx_http_hls_proxy_module);
  return ctx;
}

namespace {

// What stands in front of links comes from the client's Host by default: nothing in it may end a quoted
// attribute, or a URL's authority or path.
bool is_plain(std::string_view base) {
  for (char c : base) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 std::string_view("-._~:/[]%").find(c) != std::string_view::npos;
    if (!plain) return false;
  }
  return true;
}

}  // namespace

bool request_base(ngx_http_request_t *r, Base &base) {
  LocationConf &conf = location_conf(r);
  if (!evaluate(r, conf.base, base.text) || !evaluate(r, conf.public_base, base.absolute)) return false;
  base.text.resize(base.text.find_last_not_of('/') + 1);
  base.absolute.resize(base.absolute.find_last_not_of('/') + 1);

  size_t scheme = base.text.find("://");
  if (scheme == std::string::npos) {
    base.path = base.text;
    base.absolute += base.text;
  } else {
    size_t slash = base.text.find('/', scheme + 3);
    base.path = slash == std::string::npos ? "" : base.text.substr(slash);
    base.absolute = base.text;
  }
  return is_plain(base.text) && is_plain(base.absolute);
}

bool make_scope(ngx_http_request_t *r, const hls::Link &link, const Source &source, hls::LinkScope &scope) {
  Base base;
  LocationConf &conf = location_conf(r);
  if (!request_base(r, base) || !evaluate(r, conf.bind, scope.bind)) return false;
  scope.base = std::move(base.text);
  scope.public_base = std::move(base.absolute);
  scope.stream = link.stream_text;
  scope.hosts = source.hosts.empty() ? nullptr : &source.hosts;
  scope.end = link.end;

  auto now = static_cast<uint64_t>(ngx_time());
  scope.playlist_exp = hls::link_expiry(now, static_cast<uint64_t>(conf.playlist_ttl), scope.stream, link.exp);
  scope.media_exp = hls::link_expiry(now, static_cast<uint64_t>(conf.media_ttl), scope.stream, link.exp);
  // The key goes with the expiry: while a player's links must not change, neither may change.
  bool inherited = scope.playlist_exp == link.exp && scope.media_exp == link.exp;
  scope.key = inherited ? link.key : &server_conf(r).keys.front();
  return true;
}

}  // namespace hls_proxy
