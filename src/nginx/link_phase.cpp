// Preaccess phase of `hls_proxy on`: no link, no bytes.

#include "core/link_name.h"
#include "hls_proxy.h"
#include "playlist_fetch.h"
#include "rebinding.h"
#include "wait.h"

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
  // Links outlive a configuration in which `hosts` named more.
  if (!in_hosts(*ctx.source, ctx.link.url)) return refuse(r, NGX_HTTP_FORBIDDEN, "its host is not among \"hosts\"");
  aim(ctx, ctx.link.url);
  return NGX_OK;
}

void adopt(RequestContext &ctx, const PlaylistFetch &fetch) {
  ctx.state = hls::LinkState::ok;
  ctx.link = fetch.link;
  ctx.source = fetch.source;
  ctx.generation = fetch.generation;
  aim(ctx, fetch.link.url);
  redirect(ctx, fetch.target);
}

void resume(ngx_http_request_t *r, bool late);

// A link of a generation that is dead leads straight to what took its place.
ngx_int_t skip_dead_url(ngx_http_request_t *r, RequestContext &ctx, bool late) {
  Zone &zone = *main_conf(r).zone;
  std::uint64_t number = generation_of(zone, ctx.link, ctx.link.url, Which::dead);
  if (number == 0 || number == ctx.generation->number) return NGX_OK;
  zone.touch(ctx.link.stream_text, number);

  Rebinding found = rebind(r, *ctx.source, ctx.link, *ctx.generation);
  if (found.state == Rebinding::State::waiting && !late) {
    Wait::begin(ctx.wait, r, zone, ctx.link.stream_text, ctx.source->deadline, resume);
    return NGX_AGAIN;
  }
  // What cannot be rebound goes the old way: the origin's status says the rest.
  if (found.state == Rebinding::State::done && found.reason.empty()) take_successor(r, ctx, found);
  return NGX_OK;
}

ngx_int_t find_url(ngx_http_request_t *r, RequestContext &ctx, bool late) {
  if (ctx.source->resolver.empty()) return NGX_OK;
  bool any_dead = false;
  ctx.generation = main_conf(r).zone->newest(ctx.link.stream_text, any_dead);
  if (!ctx.generation) return NGX_OK;
  renew_if_due(r, *ctx.source, ctx.link, *ctx.generation);
  return any_dead ? skip_dead_url(r, ctx, late) : NGX_OK;
}

ngx_int_t find_url_and_host(ngx_http_request_t *r, RequestContext &ctx, bool late) {
  ngx_int_t rc = find_url(r, ctx, late);
  if (rc != NGX_OK) return rc;
  ctx.wait = nullptr;
  return origin_lookup(r, ctx);
}

void resume(ngx_http_request_t *r, bool late) {
  ngx_int_t rc = guarded(static_cast<ngx_int_t>(NGX_HTTP_INTERNAL_SERVER_ERROR),
                         [&] { return find_url_and_host(r, *own_context(r), late); });
  if (rc == NGX_AGAIN) return;
  r->read_event_handler = ngx_http_block_reading;
  if (rc != NGX_DECLINED) return ngx_http_finalize_request(r, rc);
  r->write_event_handler = ngx_http_core_run_phases;
  ngx_http_core_run_phases(r);
}

ngx_int_t link_phase_unguarded(ngx_http_request_t *r) {
  RequestContext *ctx = own_context(r);
  if (ctx) {   // back from waiting
    return ctx->origin.lookup == Origin::Lookup::running || ctx->wait ? NGX_AGAIN : NGX_DECLINED;
  }

  if (r->content_handler == nullptr) {
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "hls_proxy: \"hls_proxy on\" without proxy_pass: include hls_proxy_params in this location");
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  ngx_int_t rc = check_method(r);
  if (rc != NGX_DECLINED) return rc;

  hide_arguments_in_log(r);
  ctx = carried_context(r);
  if (ctx && ctx->again) {
    ctx->again = false;
    ngx_http_set_ctx(r, ctx, ngx_http_hls_proxy_module);
    return origin_lookup(r, *ctx);
  }

  ctx = pool_new<RequestContext>(r->pool, r);
  if (ctx == nullptr) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  ctx->keepalive = r->keepalive;
  ngx_http_set_ctx(r, ctx, ngx_http_hls_proxy_module);
  if (auto *fetch = playlist_fetch_of(r)) {
    adopt(*ctx, *fetch);
    return origin_lookup(r, *ctx);
  }
  rc = open(r, *ctx);
  if (rc != NGX_OK) return rc;
  return find_url_and_host(r, *ctx, false);
}

}  // namespace

RequestContext::RequestContext(ngx_http_request_t *r) : request(r) {}

RequestContext::~RequestContext() {
  if (origin.resolver) ngx_resolve_name_done(origin.resolver);
}

void aim(RequestContext &ctx, const hls::Url &url) {
  ctx.url = ctx.target = url;
  ctx.upstream_uri = url.path_and_query();
  if (ctx.link.foreign.empty()) return;
  std::string query = hls::query_with(url.query(), ctx.link.foreign);
  if (url.has_query()) ctx.upstream_uri.resize(ctx.upstream_uri.find('?'));
  ctx.upstream_uri += '?' + query;
}

void redirect(RequestContext &ctx, const hls::Url &target) {
  ctx.target = target;
  ctx.upstream_uri = target.path_and_query();
}

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

RequestContext *carried_context(ngx_http_request_t *r) {
  return find_in_pool<RequestContext>(r->pool, [r](const RequestContext &ctx) { return ctx.request == r; });
}

RequestContext *link_context(ngx_http_request_t *r) {
  RequestContext *ctx = own_context(r);
  return ctx || r == r->main ? ctx : own_context(r->main);
}

RequestContext *clone_context(ngx_http_request_t *r) {
  RequestContext *parent = own_context(r->main);
  if (parent == nullptr || parent->state != hls::LinkState::ok) return nullptr;
  auto *ctx = pool_new<RequestContext>(r->pool, r);
  if (ctx == nullptr) return nullptr;
  ctx->state = parent->state;
  ctx->link = parent->link;
  ctx->source = parent->source;
  ctx->generation = parent->generation;
  ctx->url = parent->url;
  ctx->target = parent->target;
  ctx->upstream_uri = parent->upstream_uri;
  ctx->rebound = parent->rebound;
  ctx->origin.lookup = parent->origin.lookup;
  ctx->origin.addresses = parent->origin.addresses;
  ctx->clone = true;
  r->error_page = 1;   // another body in the middle of the main request's
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
