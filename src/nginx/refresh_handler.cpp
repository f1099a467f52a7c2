// Content handler of `hls_proxy_refresh`, where error_page sends a link request whose origin answered with a
// redirect or an error. It finds another URL for the request and sends it upstream once more, from the link
// phase on; or it lets the origin's own status go out.

#include "core/link_name.h"
#include "hls_proxy.h"
#include "internal_request.h"
#include "rebinding.h"
#include "wait.h"

namespace hls_proxy {

namespace {

constexpr unsigned kMaxHops = 5;
constexpr unsigned kMaxDead = 3;   // generations in a row that die under one request

// Of the origin's headers only the time goes on after which to come again; its login would be for this server.
void keep_retry_after(ngx_http_request_t *r) {
  if (r->headers_out.www_authenticate) r->headers_out.www_authenticate->hash = 0;
  r->headers_out.www_authenticate = nullptr;
  std::string after;
  each_header(r->upstream->headers_in.headers, [&](ngx_table_elt_t &h) {
    if (same_name(view(h.key), "Retry-After")) after = view(h.value);
  });
  if (!after.empty()) add_header(r, "Retry-After", after);
}

// The status goes out as it is, whatever error_page applies here.
ngx_int_t pass_on(ngx_http_request_t *r, ngx_uint_t status) {
  RequestContext *ctx = own_context(r);
  if (ctx && ctx->status != 0 && r->upstream) keep_retry_after(r);
  r->error_page = 1;
  return static_cast<ngx_int_t>(is_redirect(status) ? NGX_HTTP_BAD_GATEWAY : status);
}

ngx_int_t give_up(ngx_http_request_t *r, RequestContext &ctx, const std::string &reason) {
  ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "hls_proxy: %s: a URL that died (%ui) has no successor: %s",
                stream_name(*ctx.source, ctx.link.stream).c_str(), ctx.failure, reason.c_str());
  return pass_on(r, ctx.failure);
}

// Back to the link phase, as if nothing had been sent upstream yet.
ngx_int_t send_again(ngx_http_request_t *r, RequestContext &ctx) {
  ctx.wait = nullptr;
  static_cast<Attempt &>(ctx) = Attempt();
  ctx.again = true;
  if (ctx.client_headers) r->headers_in = *ctx.client_headers;
  r->keepalive = ctx.keepalive;
  r->err_status = 0;
  r->uri_changes = NGX_HTTP_MAX_URI_CHANGES + 1;   // what is followed is counted here
  ngx_http_clean_header(r);
  ngx_str_t uri = r->uri, args = r->args;
  return ngx_http_internal_redirect(r, &uri, &args);
}

// ---- redirects -----------------------------------------------------------------------------------

ngx_int_t follow_redirect(ngx_http_request_t *r, RequestContext &ctx) {
  hls::Url target;
  if (const char *reason = redirect_target(*ctx.source, ctx.target, ctx.location, ++ctx.hops, target)) {
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "hls_proxy: %s: the origin's redirect is not followed: %s",
                  stream_name(*ctx.source, ctx.link.stream).c_str(), reason);
    return pass_on(r, NGX_HTTP_BAD_GATEWAY);
  }
  redirect(ctx, target);
  return send_again(r, ctx);
}

// ---- refreshing ----------------------------------------------------------------------------------

std::optional<RefreshCause> cause_of(const RequestContext &ctx) {
  const RefreshOn &on = ctx.source->refresh_on;
  auto when = [](bool wanted, RefreshCause cause) { return wanted ? std::optional(cause) : std::nullopt; };
  if (ctx.outdated) return RefreshCause::error;
  if (ctx.invalid) return when(on.invalid, RefreshCause::invalid);
  if (ctx.status == 0) {
    return ctx.failure == NGX_HTTP_GATEWAY_TIME_OUT ? when(on.timeout, RefreshCause::timeout)
                                                    : when(on.error, RefreshCause::error);
  }
  if (ctx.status >= 500) return when(on.error, RefreshCause::error);
  // The zone was lost, and with it the headers of the stream: a resolve brings them back.
  if (!ctx.generation && ctx.status >= 400 && ctx.status != NGX_HTTP_RANGE_NOT_SATISFIABLE) {
    return RefreshCause::status;
  }
  for (ngx_uint_t status : on.statuses) {
    if (status != ctx.status) continue;
    switch (status) {
      case 403: return RefreshCause::s403;
      case 404: return RefreshCause::s404;
      case 410: return RefreshCause::s410;
      case 429: return RefreshCause::s429;
      case 451: return RefreshCause::s451;
      default: return RefreshCause::status;
    }
  }
  return std::nullopt;
}

// The generation that the dead URL is of: what is newer may know what took its place. 0: not known, and then
// what is there already may know it, too.
std::uint64_t failed_generation(ngx_http_request_t *r, const RequestContext &ctx) {
  if (ctx.rebound || ctx.caught_up) return ctx.generation->number;
  return generation_of(*main_conf(r).zone, ctx.link, ctx.link.url, Which::any);
}

void resume(ngx_http_request_t *r, bool late);

ngx_int_t wait(ngx_http_request_t *r, RequestContext &ctx) {
  Wait::begin(ctx.wait, r, *main_conf(r).zone, ctx.link.stream_text, ctx.source->deadline, resume);
  if (!ctx.detached) ++r->main->count;
  ctx.detached = true;
  return NGX_DONE;
}

// To ask the same once more helps against what passes: no answer, or none that could be used.
bool is_same(const RequestContext &ctx, const Rebinding &found, const hls::Generation &fresh) {
  bool same_headers = ctx.generation && ctx.generation->answer.headers == fresh.answer.headers;
  bool answered = ctx.status != 0 && ctx.status < 500 && !ctx.invalid;
  return found.reason.empty() && found.rebound.url == ctx.url.text() && same_headers && answered;
}

ngx_int_t retry(ngx_http_request_t *r, RequestContext &ctx, const Rebinding &found, const hls::Generation &fresh) {
  ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                "hls_proxy: %s: a URL that died (%ui) goes on in generation %uL (%s)",
                stream_name(*ctx.source, ctx.link.stream).c_str(), ctx.failure, static_cast<uint64_t>(fresh.number),
                hls::name_of(found.rebound.rule));
  // Once a request may catch up with what was there all along, and may be dead by now, before it is refreshed.
  bool known = ctx.generation && ctx.generation->number == fresh.number;
  if (known && !ctx.caught_up) ctx.caught_up = true;
  else ctx.number = 2;
  ctx.generation = fresh;
  ctx.hops = 0;
  take_successor(r, ctx, found);
  return send_again(r, ctx);
}

ngx_uint_t status_for_resolver(const RequestContext &ctx) {
  return is_redirect(ctx.failure) ? NGX_HTTP_BAD_GATEWAY : ctx.failure;
}

ngx_int_t refresh(ngx_http_request_t *r, RequestContext &ctx, bool late) {
  if (late) return give_up(r, ctx, "it was not found in time");
  Resolution resolved = resolve(r, *ctx.source, ctx.link, ctx.failed_generation, status_for_resolver(ctx),
                                ctx.wait.get(), ctx.leads);
  if (resolved.state == Resolution::State::waiting) return wait(r, ctx);
  if (resolved.state == Resolution::State::failed) {
    return give_up(r, ctx, resolved.failure ? "the stream could not be resolved"
                                            : "the stream was resolved only a moment ago (cooldown)");
  }

  const hls::Generation &fresh = resolved.generation;
  Rebinding found = rebind(r, *ctx.source, ctx.link, fresh);
  if (found.state == Rebinding::State::waiting) return wait(r, ctx);
  bool dead_too = found.fresh_is_dead || is_same(ctx, found, fresh);
  if (dead_too && ctx.failed_generation < fresh.number && ++ctx.dead_on_arrival < kMaxDead) {
    ctx.failed_generation = fresh.number;
    return refresh(r, ctx, false);
  }
  if (found.rebound.refusal != hls::RebindRefusal::none) {
    count(main_conf(r).zone->counters().refusals[static_cast<size_t>(found.rebound.refusal)]);
  }
  if (!found.reason.empty()) return give_up(r, ctx, found.reason);
  return dead_too ? give_up(r, ctx, "the fresh one is the same") : retry(r, ctx, found, fresh);
}

void resume(ngx_http_request_t *r, bool late) {
  ngx_int_t rc = guarded(static_cast<ngx_int_t>(NGX_HTTP_INTERNAL_SERVER_ERROR), [&] {
    RequestContext &ctx = *own_context(r);
    ngx_int_t rc = refresh(r, ctx, late);
    if (rc == NGX_DONE && ctx.wait) return static_cast<ngx_int_t>(NGX_AGAIN);
    ctx.wait = nullptr;
    return rc;
  });
  if (rc != NGX_AGAIN) ngx_http_finalize_request(r, rc);
}

ngx_int_t refresh_handler_unguarded(ngx_http_request_t *r) {
  RequestContext *ctx = carried_context(r);
  ngx_uint_t status = r->err_status ? r->err_status : NGX_HTTP_NOT_FOUND;
  if (r->err_status == 0 && ctx && ctx->status >= 300) status = ctx->status;   // error_page with "="
  if (InternalRequest::owns(r)) return pass_on(r, status);   // who asked decides
  if (ctx) ngx_http_set_ctx(r, ctx, ngx_http_hls_proxy_module);   // the access log asks for it
  // A status that the origin did not cause is the relay's own word.
  if (ctx == nullptr || ctx->state != hls::LinkState::ok || !ctx->asked) return pass_on(r, status);

  ctx->failure = status;
  ctx->detached = false;
  if (is_redirect(ctx->status) && ctx->status == status) return follow_redirect(r, *ctx);
  if (ctx->number > 1 || ctx->source->resolver.empty()) return pass_on(r, status);
  std::optional<RefreshCause> cause = cause_of(*ctx);
  if (!cause) return pass_on(r, status);

  count(main_conf(r).zone->counters().refreshes[static_cast<size_t>(*cause)]);
  ctx->failed_generation = failed_generation(r, *ctx);
  return refresh(r, *ctx, false);
}

}  // namespace

const char *redirect_target(const Source &source, const hls::Url &from, std::string_view location, unsigned hops,
                            hls::Url &target) {
  if (hops > kMaxHops) return "it leads to more redirects than are followed";
  if (hls::resolve_reference(from, location, target) != hls::Reference::http ||
      target.text().size() > hls::LinkWriter::kMaxUrl) {
    return "it leads to what cannot be requested";
  }
  return in_hosts(source, target) ? nullptr : "it leads to a host that is not among \"hosts\"";
}

void take_successor(ngx_http_request_t *r, RequestContext &ctx, const Rebinding &found) {
  hls::Url url;
  if (!hls::parse_url(found.rebound.url, url)) return;
  count(main_conf(r).zone->counters().rebinds[static_cast<size_t>(found.rebound.rule)]);
  ctx.rebound = url.text() != ctx.link.url.text();
  ctx.link.variables = ctx.link.kind == hls::LinkKind::playlist ? found.variables : "";
  aim(ctx, url);
}

// Nobody can be sent again from here, but the next request shall find the stream resolved.
void refresh_for_others(ngx_http_request_t *r, RequestContext &ctx) {
  ctx.status = ctx.refusal;
  ctx.failure = ctx.refusal ? ctx.refusal : NGX_HTTP_BAD_GATEWAY;
  if (ctx.source->resolver.empty() || !cause_of(ctx)) return;
  std::uint64_t dead = failed_generation(r, ctx);
  if (dead == 0 && ctx.generation) dead = ctx.generation->number;
  Resolution fresh = resolve(r, *ctx.source, ctx.link, dead, ctx.failure, nullptr, ctx.leads);
  if (fresh.state == Resolution::State::ready) main_conf(r).zone->mark_dead(ctx.link.stream_text, dead);
}

// Only now: an error of one URL, such as a segment that has left the window, says nothing of all the others.
void note_success(ngx_http_request_t *r, RequestContext &ctx) {
  bool retried = ctx.number > 1 || ctx.caught_up;
  if (!retried || !ctx.rebound || ctx.failed_generation == 0) return;
  main_conf(r).zone->mark_dead(ctx.link.stream_text, ctx.failed_generation);
}

ngx_int_t refresh_handler(ngx_http_request_t *r) {
  return guarded(static_cast<ngx_int_t>(NGX_HTTP_INTERNAL_SERVER_ERROR), [&] { return refresh_handler_unguarded(r); });
}

}  // namespace hls_proxy
