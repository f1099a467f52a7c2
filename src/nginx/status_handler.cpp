// Content handler of `hls_proxy_status prometheus`: the zone's counters in Prometheus' text format 0.0.4.

#include <string>

#include "hls_proxy.h"

namespace hls_proxy {

namespace {

const char *name_of(RefreshCause cause) {
  switch (cause) {
    case RefreshCause::s403: return "403";
    case RefreshCause::s404: return "404";
    case RefreshCause::s410: return "410";
    case RefreshCause::s429: return "429";
    case RefreshCause::s451: return "451";
    case RefreshCause::status: return "other";
    case RefreshCause::timeout: return "timeout";
    case RefreshCause::error: return "error";
    case RefreshCause::invalid: return "invalid";
  }
  return "unknown";
}

class Page {
public:
  void describe(const char *name, const char *type, const char *help) {
    text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
    text_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
  }

  void value(const char *name, std::uint64_t number) {
    text_.append(name).append(" ").append(std::to_string(number)).append("\n");
  }

  void value(const char *name, const char *label, const char *which, std::uint64_t number) {
    text_.append(name).append("{").append(label).append("=\"").append(which).append("\"} ");
    text_.append(std::to_string(number)).append("\n");
  }

  void counter(const char *name, const char *help, std::uint64_t number) {
    describe(name, "counter", help);
    value(name, number);
  }

  const std::string &text() const { return text_; }

private:
  std::string text_;
};

// Every series is there from the start, at 0: a rate over one that appears later would miss its first event.
std::string page_of(Zone &zone) {
  const Counters &c = zone.counters();
  Page page;
  page.counter("hls_proxy_resolves_total", "Answers asked of resolvers.", c.resolves);
  page.counter("hls_proxy_resolve_failures_total", "Resolves that brought no URL.", c.failed_resolves);

  page.describe("hls_proxy_refreshes_total", "counter", "Links whose URL was dead, by what it died of.");
  for (std::size_t i = 0; i < kRefreshCauses; ++i) {
    page.value("hls_proxy_refreshes_total", "cause", name_of(static_cast<RefreshCause>(i)), c.refreshes[i]);
  }

  page.describe("hls_proxy_rebinds_total", "counter", "Dead URLs that got a fresh one, by the rule that found it.");
  for (std::size_t i = 1; i < hls::kRebindRules; ++i) {   // 0: none
    page.value("hls_proxy_rebinds_total", "rule", hls::name_of(static_cast<hls::RebindRule>(i)), c.rebinds[i]);
  }

  page.describe("hls_proxy_rebind_refusals_total", "counter",
                "Dead URLs for which no fresh one was certain, by the reason.");
  for (std::size_t i = 1; i < hls::kRebindRefusals; ++i) {   // 0: none
    page.value("hls_proxy_rebind_refusals_total", "reason", hls::name_of(static_cast<hls::RebindRefusal>(i)),
               c.refusals[i]);
  }

  page.counter("hls_proxy_waits_total", "Requests that waited for another one's resolve.", c.waits);
  page.counter("hls_proxy_zone_evictions_total", "Streams that were forgotten for want of room in the zone.",
               c.evictions);
  page.describe("hls_proxy_zone_streams", "gauge", "Streams that the zone knows.");
  page.value("hls_proxy_zone_streams", zone.streams());
  return page.text();
}

ngx_int_t send_text(ngx_http_request_t *r, const std::string &text) {
  ngx_str_t body = pool_string(r->pool, text);
  auto *b = static_cast<ngx_buf_t *>(ngx_calloc_buf(r->pool));
  if (body.data == nullptr || b == nullptr) return NGX_HTTP_INTERNAL_SERVER_ERROR;

  r->headers_out.status = NGX_HTTP_OK;
  r->headers_out.content_length_n = static_cast<off_t>(body.len);
  ngx_str_set(&r->headers_out.content_type, "text/plain; version=0.0.4");
  r->headers_out.content_type_len = sizeof("text/plain") - 1;
  r->headers_out.content_type_lowcase = nullptr;
  if (!add_header(r, "Cache-Control", "no-store")) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  ngx_int_t rc = ngx_http_send_header(r);
  if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) return rc;

  b->pos = body.data;
  b->last = body.data + body.len;
  b->memory = 1;
  b->last_buf = r == r->main;
  b->last_in_chain = 1;
  ngx_chain_t out = {b, nullptr};
  return ngx_http_output_filter(r, &out);
}

ngx_int_t status_handler_unguarded(ngx_http_request_t *r) {
  if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
    add_header(r, "Allow", "GET, HEAD");
    return NGX_HTTP_NOT_ALLOWED;
  }
  ngx_int_t rc = ngx_http_discard_request_body(r);
  if (rc != NGX_OK) return rc;
  return send_text(r, page_of(*main_conf(r).zone));
}

}  // namespace

ngx_int_t status_handler(ngx_http_request_t *r) {
  return guarded(static_cast<ngx_int_t>(NGX_HTTP_INTERNAL_SERVER_ERROR), [&] { return status_handler_unguarded(r); });
}

}  // namespace hls_proxy
