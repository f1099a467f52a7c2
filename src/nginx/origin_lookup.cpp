// The host of a link becomes addresses before anything is asked of it.

#include "hls_proxy.h"

namespace hls_proxy {

namespace {

bool add_address(ngx_http_request_t *r, Origin &origin, const sockaddr *from, socklen_t len, in_port_t port) {
  Address address;
  if (len > sizeof(address.sockaddr)) return false;
  ngx_memcpy(&address.sockaddr, from, len);
  address.socklen = len;
  ngx_inet_set_port(&address.sockaddr.sockaddr, port);

  u_char text[NGX_SOCKADDR_STRLEN];
  size_t size = ngx_sock_ntop(&address.sockaddr.sockaddr, len, text, sizeof(text), 1);
  address.name = pool_string(r->pool, {reinterpret_cast<char *>(text), size});
  if (address.name.data == nullptr) return false;
  origin.addresses.push_back(address);
  return true;
}

void resolved(ngx_resolver_ctx_t *answer) {
  auto *r = static_cast<ngx_http_request_t *>(answer->data);
  ngx_connection_t *c = r->connection;
  RequestContext *ctx = own_context(r);
  Origin &origin = ctx->origin;

  origin.lookup = Origin::Lookup::failed;
  if (answer->state) {
    ngx_log_error(NGX_LOG_ERR, c->log, 0, "hls_proxy: host \"%V\" could not be resolved (%i: %s)", &answer->name,
                  answer->state, ngx_resolver_strerror(answer->state));
  } else {
    bool all = guarded(false, [&] {
      for (ngx_uint_t i = 0; i < answer->naddrs; ++i) {
        if (!add_address(r, origin, answer->addrs[i].sockaddr, answer->addrs[i].socklen, ctx->target.port())) {
          return false;
        }
      }
      return true;
    });
    if (all && !origin.addresses.empty()) origin.lookup = Origin::Lookup::done;
  }
  bool waiting = origin.resolver != nullptr;   // not so where the answer was at hand
  origin.resolver = nullptr;
  ngx_resolve_name_done(answer);

  if (!waiting) return;
  r->read_event_handler = ngx_http_block_reading;
  r->write_event_handler = ngx_http_core_run_phases;
  ngx_http_core_run_phases(r);
  ngx_http_run_posted_requests(c);
}

ngx_int_t ask_resolver(ngx_http_request_t *r, RequestContext &ctx, std::string_view host) {
  Origin &origin = ctx.origin;
  auto *core = static_cast<ngx_http_core_loc_conf_t *>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
  ngx_resolver_ctx_t start;
  ngx_memzero(&start, sizeof(start));
  start.name = pool_string(r->pool, host);
  if (start.name.data == nullptr) return NGX_HTTP_INTERNAL_SERVER_ERROR;

  ngx_resolver_ctx_t *ask = ngx_resolve_start(core->resolver, &start);
  if (ask == nullptr) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  if (ask == NGX_NO_RESOLVER) {
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "hls_proxy: no resolver defined to look up \"%V\": add \"resolver\" to the configuration",
                  &start.name);
    origin.lookup = Origin::Lookup::failed;
    return NGX_DECLINED;
  }
  ask->name = start.name;
  ask->handler = resolved;
  ask->data = r;
  ask->timeout = core->resolver_timeout;
  origin.lookup = Origin::Lookup::running;
  if (ngx_resolve_name(ask) != NGX_OK) {
    origin.lookup = Origin::Lookup::failed;
    return NGX_DECLINED;
  }
  if (origin.lookup != Origin::Lookup::running) return NGX_DECLINED;

  origin.resolver = ask;
  // The client may leave meanwhile; the context's destructor then cancels.
  r->read_event_handler = ngx_http_test_reading;
  r->write_event_handler = ngx_http_request_empty_handler;
  return NGX_AGAIN;
}

}  // namespace

ngx_int_t origin_lookup(ngx_http_request_t *r, RequestContext &ctx) {
  std::string_view host = ctx.target.host();
  ngx_addr_t literal;
  if (ngx_parse_addr(r->pool, &literal, reinterpret_cast<u_char *>(const_cast<char *>(host.data())), host.size()) ==
      NGX_OK) {
    if (!add_address(r, ctx.origin, literal.sockaddr, literal.socklen, ctx.target.port())) {
      return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ctx.origin.lookup = Origin::Lookup::done;
    return NGX_DECLINED;
  }
  return ask_resolver(r, ctx, host);
}

}  // namespace hls_proxy
