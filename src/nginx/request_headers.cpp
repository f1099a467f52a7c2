// What goes upstream of a client's request: nothing that identifies the client or its session.

#include <algorithm>

#include "core/link_name.h"
#include "core/percent.h"
#include "hls_proxy.h"

namespace hls_proxy {

namespace {

// Some origins refuse requests without one, and a relay's own name would be a fingerprint.
constexpr std::string_view kUserAgent =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

bool push(ngx_http_request_t *r, std::string_view name, std::string_view value) {
  auto *h = static_cast<ngx_table_elt_t *>(ngx_list_push(&r->headers_in.headers));
  if (h == nullptr) return false;
  h->key = pool_string(r->pool, name);
  h->value = pool_string(r->pool, value);
  h->lowcase_key = static_cast<u_char *>(ngx_pnalloc(r->pool, name.size()));
  if (h->key.data == nullptr || h->value.data == nullptr || h->lowcase_key == nullptr) return false;
  h->hash = ngx_hash_strlow(h->lowcase_key, h->key.data, h->key.len);
#if (nginx_version >= 1023000)
  h->next = nullptr;
#endif
  return true;
}

std::string base64(std::string_view text) {
  ngx_str_t from = {text.size(), reinterpret_cast<u_char *>(const_cast<char *>(text.data()))};
  std::string out(ngx_base64_encoded_length(text.size()), '\0');
  ngx_str_t to = {out.size(), reinterpret_cast<u_char *>(out.data())};
  ngx_encode_base64(&to, &from);
  out.resize(to.len);
  return out;
}

bool is_credential(std::string_view name) { return same_name(name, "Cookie") || same_name(name, "Authorization"); }

// The host that the stream was resolved to.
bool is_own_host(const RequestContext &ctx) {
  hls::Url resolved;
  if (ctx.generation) {
    resolved = ctx.generation->answer.url;
  } else {
    auto url = ctx.source->url.expand(key_values(ctx.link.stream), true);
    if (!url || !hls::parse_url(*url, resolved)) return false;
  }
  return resolved.host_and_port() == ctx.target.host_and_port() && resolved.https() == ctx.target.https();
}

// The headers of a stream: the resolver's, then the source's. Credentials are for the host that the stream was
// resolved to, whatever other hosts its playlists and redirects name.
bool push_stream_headers(ngx_http_request_t *r, const RequestContext &ctx, bool &user_agent) {
  return each_stream_header(ctx, [&](std::string_view name, std::string_view value) {
    if (is_credential(name) && !is_own_host(ctx)) return true;
    if (same_name(name, "User-Agent")) user_agent = true;
    return push(r, name, value);
  });
}

}  // namespace

bool each_stream_header(const RequestContext &ctx,
                        const std::function<bool(std::string_view name, std::string_view value)> &f) {
  static const std::vector<hls::UpstreamHeader> none;
  const auto &resolved = ctx.generation ? ctx.generation->answer.headers : none;
  for (const hls::UpstreamHeader &header : resolved) {
    if (!f(header.name, header.value)) return false;
  }
  for (const auto &[name, value] : ctx.source->headers) {
    bool again = std::any_of(resolved.begin(), resolved.end(), [&name = name](const hls::UpstreamHeader &header) {
      return same_name(header.name, name);
    });
    auto text = again ? std::nullopt : value.expand(key_values(ctx.link.stream), false);
    if (text && !f(name, *text)) return false;
  }
  return true;
}

bool replace_request_headers(ngx_http_request_t *r, RequestContext &ctx) {
  ngx_http_headers_in_t &in = r->headers_in;
  ctx.client_headers = in;
  const ngx_list_t client = in.headers;
  if (ngx_list_init(&in.headers, r->pool, 8, sizeof(ngx_table_elt_t)) != NGX_OK) return false;

  // A playlist is rewritten as a whole, and its validators are the origin's, not ours.
  bool ranges = ctx.link.kind == hls::LinkKind::media || hls::is_media_name(ctx.link.url.name());
  if (!ranges) {
    in.range = in.if_range = in.if_modified_since = in.if_none_match = nullptr;
    in.if_unmodified_since = in.if_match = nullptr;
  }
  static constexpr std::string_view kRangeHeaders[] = {"Range", "If-Range", "If-Modified-Since", "If-None-Match"};

  bool user_agent = false;
  if (!push_stream_headers(r, ctx, user_agent)) return false;
  for (const ngx_list_part_t *part = &client.part; part; part = part->next) {
    auto *headers = static_cast<ngx_table_elt_t *>(part->elts);
    for (ngx_uint_t i = 0; i < part->nelts; ++i) {
      std::string_view name = view(headers[i].key);
      bool pass = same_name(name, "Accept");
      for (std::string_view range : kRangeHeaders) pass = pass || (ranges && same_name(name, range));
      if (pass && !push(r, name, view(headers[i].value))) return false;
    }
  }
  if (!user_agent && !push(r, "User-Agent", kUserAgent)) return false;
  if (std::string_view user = ctx.target.user_info(); !user.empty()) {
    if (!push(r, "Authorization", "Basic " + base64(hls::percent_decode(user, false)))) return false;
  }
  return push(r, "Accept-Encoding", "identity");
}

}  // namespace hls_proxy
