// What reaches the client of an origin's response headers: nothing that acts on the user's domain.

#include "core/response_headers.h"

#include "hls_proxy.h"

namespace hls_proxy {

bool add_header(ngx_http_request_t *r, std::string_view name, std::string_view value) {
  auto *h = static_cast<ngx_table_elt_t *>(ngx_list_push(&r->headers_out.headers));
  if (h == nullptr) return false;
  h->key = pool_string(r->pool, name);
  h->value = pool_string(r->pool, value);
  h->hash = h->key.data && h->value.data ? 1 : 0;
#if (nginx_version >= 1023000)
  h->next = nullptr;
#endif
  return h->hash;
}

void add_cors_headers(ngx_http_request_t *r) {
  // nginx's own 416 comes by when the response that it takes the place of has them already.
  if (find_header(r->headers_out.headers, "Access-Control-Allow-Origin")) return;
  add_header(r, "Access-Control-Allow-Origin", "*");
  add_header(r, "Access-Control-Expose-Headers",
             "Accept-Ranges, Age, Cache-Control, Content-Length, Content-Range, Content-Type, Date, ETag, Last-Modified");
  if (r->method != NGX_HTTP_OPTIONS) return;
  add_header(r, "Access-Control-Allow-Methods", "GET, HEAD, OPTIONS");
  add_header(r, "Access-Control-Allow-Headers", "Range, If-Range, If-None-Match, If-Modified-Since, X-Api-Key, "
             "CMCD-Request, CMCD-Object, CMCD-Status, CMCD-Session");
  add_header(r, "Access-Control-Max-Age", "86400");
}

void clean_response_headers(ngx_http_request_t *r, const RequestContext &ctx) {
  each_header(r->headers_out.headers, [&](ngx_table_elt_t &h) {
    if (hls::is_dropped_header(view(h.key))) h.hash = 0;
  });
  r->headers_out.location = nullptr;   // dropped with the others
  r->headers_out.status_line.len = 0;  // the origin's words
  r->headers_out.refresh = nullptr;
  add_header(r, "X-Content-Type-Options", "nosniff");
  add_header(r, "Content-Security-Policy", "sandbox");

  std::string_view type = hls::media_type(view(r->headers_out.content_type), ctx.url.name());
  r->headers_out.content_type = {type.size(), reinterpret_cast<u_char *>(const_cast<char *>(type.data()))};
  r->headers_out.content_type_len = type.size();
  r->headers_out.content_type_lowcase = nullptr;
  r->headers_out.charset.len = 0;
}

bool link_redirect(ngx_http_request_t *r, const RequestContext &ctx, std::string_view location) {
  hls::Url target;
  hls::LinkScope scope;
  if (hls::resolve_reference(ctx.target, location, target) != hls::Reference::http ||
      !make_scope(r, ctx.link, *ctx.source, scope)) {
    return false;
  }
  hls::SingleWindow out;
  hls::LinkWriter writer(scope);
  auto kind = ctx.link.kind == hls::LinkKind::playlist ? hls::UriKind::automatic : hls::UriKind::segment;
  return writer.write(out, target, kind, ctx.link.at ? &*ctx.link.at : nullptr, ctx.link.variables, false) &&
         add_header(r, "Location", out.text());
}

}  // namespace hls_proxy
