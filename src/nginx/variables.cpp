// $hls_proxy_*

#include "core/link_name.h"
#include "hls_proxy.h"
#include "playlist_fetch.h"

namespace hls_proxy {

namespace {

using Text = std::string;
using Getter = bool (*)(ngx_http_request_t *, RequestContext &, Text &);   // false: not found

bool is_token_only(const Source &source, std::string_view argument) {
  for (const std::string &name : source.volatile_arguments) {
    if (argument == name) return true;
  }
  return false;
}

// The URL less what only rotates, with the directives that select what a playlist shows.
bool cache_key(ngx_http_request_t *r, RequestContext &ctx, Text &text) {
  // A playlist's references are resolved against where it was found, so that is what it is kept by.
  const hls::Url &url = ctx.link.kind == hls::LinkKind::playlist ? ctx.target : ctx.url;
  text = ctx.link.stream_text;
  text += '|';
  if (!ctx.source->volatile_host) text.append(url.https() ? "https://" : "http://").append(url.authority());
  text.append(url.directory()).append(url.name());
  char separator = '?';
  std::string_view query = url.query();
  while (!query.empty()) {
    std::string_view piece = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), piece.size() + 1));
    if (is_token_only(*ctx.source, piece.substr(0, piece.find('=')))) continue;
    (text += separator).append(piece);
    separator = '&';
  }
  if (!ctx.link.directives.empty()) (text += '|').append(ctx.link.directives);
  // To learn what took the place of a dead URL only a fresh playlist will do.
  if (auto *fetch = playlist_fetch_of(r)) (text += '|').append(fetch->serial);
  return true;
}

bool key(ngx_http_request_t *, RequestContext &ctx, Text &text) {
  text = key_text(*ctx.source, ctx.link.stream);
  return true;
}

struct Variable {
  const char *name;
  Getter get;
};

const Variable kVariables[] = {
    {"hls_proxy_pass",
     [](ngx_http_request_t *, RequestContext &ctx, Text &text) {
       text = (ctx.target.https() ? "https://hls_origin" : "http://hls_origin") + ctx.upstream_uri;
       return true;
     }},
    {"hls_proxy_url",
     [](ngx_http_request_t *, RequestContext &ctx, Text &text) {
       text = ctx.target.https() ? "https://" : "http://";
       text.append(ctx.target.host_and_port()).append(ctx.upstream_uri);
       return true;
     }},
    {"hls_proxy_uri",
     [](ngx_http_request_t *, RequestContext &ctx, Text &text) {
       text = ctx.upstream_uri;
       return true;
     }},
    {"hls_proxy_host",
     [](ngx_http_request_t *, RequestContext &ctx, Text &text) {
       text = ctx.target.host_and_port();
       return true;
     }},
    {"hls_proxy_kind",
     [](ngx_http_request_t *, RequestContext &ctx, Text &text) {
       text = ctx.link.kind == hls::LinkKind::playlist ? "playlist" : "media";
       return true;
     }},
    {"hls_proxy_source",
     [](ngx_http_request_t *, RequestContext &ctx, Text &text) {
       text = ctx.source->name;
       return true;
     }},
    {"hls_proxy_key", key},
    {"hls_proxy_cache_key", cache_key},
    // A playlist is rewritten for HEAD as for GET, which takes its first bytes.
    {"hls_proxy_method",
     [](ngx_http_request_t *r, RequestContext &ctx, Text &text) {
       text = ctx.link.kind == hls::LinkKind::playlist ? std::string_view("GET") : view(r->method_name);
       return true;
     }},
    {"hls_proxy_attempt",
     [](ngx_http_request_t *, RequestContext &ctx, Text &text) {
       text = std::to_string(ctx.number);
       return true;
     }},
    {"hls_proxy_refreshed",
     [](ngx_http_request_t *, RequestContext &ctx, Text &text) {
       text = ctx.rebound || ctx.number > 1 ? "1" : "0";
       return true;
     }},
    {"hls_proxy_provider",
     [](ngx_http_request_t *, RequestContext &ctx, Text &text) {
       if (!ctx.generation || ctx.generation->answer.provider.empty()) return false;
       text = ctx.generation->answer.provider;
       return true;
     }},
    {"hls_proxy_bind", [](ngx_http_request_t *, RequestContext &, Text &) { return false; }},
};

ngx_int_t set_value(ngx_http_request_t *r, ngx_http_variable_value_t *v, std::string_view text) {
  ngx_str_t copy = pool_string(r->pool, text);
  if (copy.data == nullptr) return NGX_ERROR;
  v->len = static_cast<unsigned>(copy.len);
  v->data = copy.data;
  v->valid = 1;
  v->no_cacheable = 0;
  v->not_found = 0;
  return NGX_OK;
}

ngx_int_t get_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data) {
  return guarded(static_cast<ngx_int_t>(NGX_ERROR), [&]() -> ngx_int_t {
    RequestContext *ctx = link_context(r);
    std::string text;
    if (ctx == nullptr || ctx->source == nullptr || !kVariables[data].get(r, *ctx, text)) {
      v->not_found = 1;
      return NGX_OK;
    }
    return set_value(r, v, text);
  });
}

ngx_int_t get_link_state(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t) {
  RequestContext *ctx = link_context(r);
  std::string_view text = "bad";
  if (ctx == nullptr) {
    text = "none";
  } else if (ctx->state == hls::LinkState::ok) {
    text = "ok";
  } else if (ctx->state == hls::LinkState::expired) {
    text = "expired";
  }
  return set_value(r, v, text);
}

// nginx's way of naming variables after headers.
bool is_variable_of(std::string_view name, std::string_view header) {
  if (header.size() != name.size()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    u_char c = ngx_tolower(static_cast<u_char>(header[i]));
    if ((c == '-' ? '_' : c) != static_cast<u_char>(name[i])) return false;
  }
  return true;
}

// $hls_proxy_header_<name>: a header of the stream, as it went into the request for upstream.
ngx_int_t get_header(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data) {
  RequestContext *ctx = link_context(r);
  std::string_view name = view(*reinterpret_cast<ngx_str_t *>(data)).substr(sizeof("hls_proxy_header_") - 1);
  v->not_found = 1;
  if (ctx == nullptr || ctx->source == nullptr) return NGX_OK;
  return guarded(static_cast<ngx_int_t>(NGX_ERROR), [&] {
    ngx_int_t rc = NGX_OK;
    each_stream_header(*ctx, [&](std::string_view header, std::string_view value) {
      if (!is_variable_of(name, header)) return true;
      rc = set_value(r, v, value);
      return false;
    });
    return rc;
  });
}

ngx_http_variable_t *add(ngx_conf_t *cf, const char *text, ngx_uint_t flags) {
  ngx_str_t name = pool_string(cf->pool, text);
  return name.data ? ngx_http_add_variable(cf, &name, flags) : nullptr;
}

}  // namespace

// Nothing is cacheable: an internal redirect opens another link in the same request.
ngx_int_t add_variables(ngx_conf_t *cf) {
  for (const Variable &variable : kVariables) {
    ngx_http_variable_t *v = add(cf, variable.name, NGX_HTTP_VAR_NOCACHEABLE);
    if (v == nullptr) return NGX_ERROR;
    v->get_handler = get_variable;
    v->data = static_cast<uintptr_t>(&variable - kVariables);
  }
  ngx_http_variable_t *state = add(cf, "hls_proxy_link_state", NGX_HTTP_VAR_NOCACHEABLE);
  ngx_http_variable_t *header = add(cf, "hls_proxy_header_", NGX_HTTP_VAR_NOCACHEABLE | NGX_HTTP_VAR_PREFIX);
  if (state == nullptr || header == nullptr) return NGX_ERROR;
  state->get_handler = get_link_state;
  header->get_handler = get_header;
  return NGX_OK;
}

}  // namespace hls_proxy
