// The upstream that $hls_proxy_pass names. It has no servers of its own: its balancer connects to the
// addresses that were looked up for the request's link.

#include "hls_proxy.h"
#include "rebinding.h"

namespace hls_proxy {

namespace {

struct OriginPeer {
  RequestContext *ctx;
  size_t next;
};

// Who has waited for the cache's lock may find that the URL has died meanwhile.
bool is_outdated(const RequestContext &ctx) {
  if (ctx.clone || ctx.rebound || !ctx.generation) return false;
  Zone &zone = *main_conf(ctx.request).zone;
  bool any_dead = false;
  auto newest = zone.newest(ctx.link.stream_text, any_dead);
  return newest && any_dead && newest->number > ctx.generation->number &&
         generation_of(zone, ctx.link, ctx.link.url, Which::dead) != 0;
}

ngx_int_t get_peer(ngx_peer_connection_t *pc, void *data) {
  auto *peer = static_cast<OriginPeer *>(data);
  const auto &addresses = peer->ctx->origin.addresses;
  if (peer->next == 0) peer->ctx->outdated = guarded(false, [&] { return is_outdated(*peer->ctx); });
  if (peer->ctx->outdated || peer->ctx->origin.lookup != Origin::Lookup::done || addresses.empty()) {
    pc->tries = 0;   // or nginx would ask again, for ever
    return NGX_DECLINED;
  }
  const Address &address = addresses[peer->next++ % addresses.size()];
  pc->sockaddr = const_cast<sockaddr *>(&address.sockaddr.sockaddr);
  pc->socklen = address.socklen;
  pc->name = const_cast<ngx_str_t *>(&address.name);
  return NGX_OK;
}

// The last try is for errors that pass, at an address that was tried before; not for one that has taken all
// the time a player has.
void free_peer(ngx_peer_connection_t *pc, void *data, ngx_uint_t) {
  auto *peer = static_cast<OriginPeer *>(data);
  if (pc->tries) --pc->tries;
  ngx_connection_t *c = pc->connection;
  bool timed_out = c && (c->read->timedout || c->write->timedout);
  if (timed_out && peer->next >= peer->ctx->origin.addresses.size()) pc->tries = 0;
}

#if (NGX_HTTP_SSL)
ngx_int_t set_session(ngx_peer_connection_t *, void *) { return NGX_OK; }
void save_session(ngx_peer_connection_t *, void *) {}
#endif

ngx_int_t init_origin_peer(ngx_http_request_t *r, ngx_http_upstream_srv_conf_t *) {
  RequestContext *ctx = own_context(r);
  if (ctx == nullptr && r != r->main) ctx = guarded(ctx, [&] { return clone_context(r); });
  if (ctx == nullptr || ctx->state != hls::LinkState::ok) {
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "hls_proxy: $hls_proxy_pass is only for requests with a link: "
                  "is \"hls_proxy on\" in this location?");
    return NGX_ERROR;
  }
  auto *peer = static_cast<OriginPeer *>(ngx_pcalloc(r->pool, sizeof(OriginPeer)));
  if (peer == nullptr) return NGX_ERROR;
  peer->ctx = ctx;

  ngx_peer_connection_t &pc = r->upstream->peer;
  pc.data = peer;
  pc.get = get_peer;
  pc.free = free_peer;
  pc.tries = ctx->origin.addresses.size() + 1;
#if (NGX_HTTP_SSL)
  pc.set_session = set_session;
  pc.save_session = save_session;
#endif
  watch_response(r, *ctx);
  return NGX_OK;
}

ngx_int_t init_origin(ngx_conf_t *, ngx_http_upstream_srv_conf_t *us) {
  us->peer.init = init_origin_peer;
  return NGX_OK;
}

// ---- `upstream` groups of the user's own ---------------------------------------------------------

ngx_int_t init_hooked_peer(ngx_http_request_t *r, ngx_http_upstream_srv_conf_t *us) {
  auto hook = main_conf(r).hooks.begin();
  while (hook->upstream != us) ++hook;
  ngx_int_t rc = hook->init(r, us);
  RequestContext *ctx = own_context(r);
  if (rc == NGX_OK && ctx && ctx->state == hls::LinkState::ok) watch_response(r, *ctx);
  return rc;
}

}  // namespace

ngx_int_t origin_add_upstream(ngx_conf_t *cf) {
  ngx_url_t url;
  ngx_memzero(&url, sizeof(url));
  ngx_str_set(&url.host, "hls_origin");
  url.no_port = 1;
  ngx_http_upstream_srv_conf_t *us = ngx_http_upstream_add(cf, &url, NGX_HTTP_UPSTREAM_CREATE);
  if (us == nullptr) return NGX_ERROR;
  us->peer.init_upstream = init_origin;
  return NGX_OK;
}

ngx_int_t origin_hook_upstreams(ngx_conf_t *cf) {
  auto *umcf = static_cast<ngx_http_upstream_main_conf_t *>(
      ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module));
  auto **upstreams = static_cast<ngx_http_upstream_srv_conf_t **>(umcf->upstreams.elts);
  return guarded(static_cast<ngx_int_t>(NGX_ERROR), [&]() -> ngx_int_t {
    for (ngx_uint_t i = 0; i < umcf->upstreams.nelts; ++i) {
      auto &init = upstreams[i]->peer.init;
      if (init == nullptr || init == init_origin_peer) continue;
      main_conf(cf).hooks.push_back({upstreams[i], init});
      init = init_hooked_peer;
    }
    return NGX_OK;
  });
}

}  // namespace hls_proxy
