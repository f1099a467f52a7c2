// nginx's log lines carry the request line and the upstream URI; ours hold signatures and tokens there.

#include "hls_proxy.h"

namespace hls_proxy {

namespace {

u_char *append(u_char *p, u_char *last, const char *label, std::string_view value) {
  ngx_str_t text = {value.size(), reinterpret_cast<u_char *>(const_cast<char *>(value.data()))};
  return ngx_slprintf(p, last, ", %s: \"%V\"", label, &text);
}

u_char *log_handler(ngx_http_request_t *r, ngx_http_request_t *sr, u_char *buf, size_t len) {
  u_char *last = buf + len;
  auto *core = static_cast<ngx_http_core_srv_conf_t *>(ngx_http_get_module_srv_conf(r, ngx_http_core_module));
  u_char *p = ngx_slprintf(buf, last, ", server: %V", &core->server_name);

  std::string_view line = view(r->request_line);
  p = append(p, last, "request", line.substr(0, line.find('?')));
  if (r != sr) p = append(p, last, "subrequest", view(sr->uri));
  if (sr->upstream && sr->upstream->peer.name) p = append(p, last, "upstream", view(*sr->upstream->peer.name));
  if (r->headers_in.host) p = append(p, last, "host", view(r->headers_in.host->value));
  return p;
}

}  // namespace

// First of all phases: limits, access rules and body checks of nginx log before a handler of ours runs.
ngx_int_t log_phase(ngx_http_request_t *r) {
  if (server_conf(r).secrets.empty()) return NGX_DECLINED;
  std::string_view args = view(r->args);
  for (const char *secret : {"sig=", "token="}) {
    if (args.find(secret) != std::string_view::npos) hide_arguments_in_log(r);
  }
  return NGX_DECLINED;
}

void hide_arguments_in_log(ngx_http_request_t *r) {
  r->main->log_handler = log_handler;
  r->log_handler = log_handler;
}

}  // namespace hls_proxy
