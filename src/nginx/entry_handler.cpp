// Content handler of `hls_proxy_entry`: the stable address of a stream. It checks who asks, finds the
// stream's URL, and goes on inside as the request of a fresh link.

#include <openssl/crypto.h>

#include <algorithm>

#include "core/entry_signature.h"
#include "core/link_name.h"
#include "core/output.h"
#include "core/percent.h"
#include "hls_proxy.h"
#include "wait.h"
#include "zone.h"

namespace hls_proxy {

namespace {

ngx_int_t refuse(ngx_http_request_t *r, ngx_int_t status, const char *reason) {
  ngx_log_error(NGX_LOG_INFO, r->connection->log, 0, "hls_proxy: entry refused (%i): %s", status, reason);
  return status;
}

bool api_key_matches(ngx_http_request_t *r) {
  std::string_view given = header_value(r->headers_in.headers, "X-Api-Key");
  bool match = false;
  for (const std::string &key : server_conf(r).api_keys) {
    if (key.size() == given.size() && CRYPTO_memcmp(key.data(), given.data(), key.size()) == 0) match = true;
  }
  return match;
}

ngx_int_t authorize(ngx_http_request_t *r, const hls::Arguments &args, uint64_t &until) {
  until = 0;
  auto now = static_cast<uint64_t>(ngx_time());
  switch (static_cast<Auth>(location_conf(r).auth)) {
    case Auth::apikey:
      if (!api_key_matches(r)) return refuse(r, NGX_HTTP_FORBIDDEN, "no valid X-Api-Key");
      [[fallthrough]];
    case Auth::none:
      if (!hls::entry_until(args, until)) return refuse(r, NGX_HTTP_BAD_REQUEST, "bad until");
      if (until && until <= now) return refuse(r, 410, "until is over");
      return NGX_OK;
    case Auth::token:
      break;
  }
  switch (hls::check_entry(args, server_conf(r).secrets, now, until)) {
    case hls::EntryState::ok: return NGX_OK;
    case hls::EntryState::missing: return refuse(r, NGX_HTTP_FORBIDDEN, "no sig argument");
    case hls::EntryState::bad_signature: return refuse(r, NGX_HTTP_FORBIDDEN, "the signature does not match");
    case hls::EntryState::expired: return refuse(r, 410, "until is over");
    case hls::EntryState::malformed: return refuse(r, NGX_HTTP_BAD_REQUEST, "malformed arguments");
  }
  return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

// What the configuration takes from the request (a regex capture of the path, say) names the stream as much
// as its arguments do: a signature covers it, or one would be good for every stream of the location.
bool add_captured(ngx_http_request_t *r, const Source &source, hls::Arguments &args) {
  ngx_array_t *configured = location_conf(r).entry_arguments;
  for (ngx_uint_t n = 0; configured && n < configured->nelts; ++n) {
    auto &argument = static_cast<EntryArgument *>(configured->elts)[n];
    if (argument.value.lengths == nullptr) continue;
    args.emplace_back(source.key[argument.index].name, "");
    if (!evaluate(r, &argument.value, args.back().second)) return false;
  }
  return true;
}

bool has_control(std::string_view text) {
  for (char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
  }
  return false;
}

// The configured value wins over the request's: it may hold the request's own variables.
ngx_int_t read_key(ngx_http_request_t *r, const Source &source, const hls::Arguments &args, hls::StreamKey &key) {
  LocationConf &conf = location_conf(r);
  key.source = source.name;
  key.values.assign(source.key.size(), std::nullopt);
  size_t size = 0;
  for (size_t i = 0; i < source.key.size(); ++i) {
    auto &value = key.values[i];
    for (const auto &[name, text] : args) {
      if (name != source.key[i].name) continue;
      if (value) return refuse(r, NGX_HTTP_BAD_REQUEST, "a key argument stands twice");
      value = text;
    }
    for (ngx_uint_t n = 0; conf.entry_arguments && n < conf.entry_arguments->nelts; ++n) {
      auto &argument = static_cast<EntryArgument *>(conf.entry_arguments->elts)[n];
      if (argument.index == i && !evaluate(r, &argument.value, value.emplace())) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
      }
    }
    if (!value) continue;

    size += value->size();
    if (size > 1024) return refuse(r, NGX_HTTP_BAD_REQUEST, "key arguments too long");
    ngx_str_t text = {value->size(), reinterpret_cast<u_char *>(value->data())};
    if (has_control(*value) || (source.key[i].regex && ngx_regex_exec(source.key[i].regex, &text, nullptr, 0) < 0)) {
      ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                    "hls_proxy: entry refused (400): key argument \"%s\" does not match its pattern",
                    source.key[i].name.c_str());
      return NGX_HTTP_BAD_REQUEST;
    }
  }
  return NGX_OK;
}

// LL-HLS directives and CMCD belong to the request, not to the entry: players add them to any playlist
// URL, so no signature covers them, and they go on to the link.
bool is_foreign(std::string_view name) { return name.substr(0, 5) == "_HLS_" || name == "CMCD"; }

hls::Arguments own_arguments(std::string_view query) {
  hls::Arguments args = hls::parse_arguments(query);
  args.erase(std::remove_if(args.begin(), args.end(), [](const auto &a) { return is_foreign(a.first); }), args.end());
  return args;
}

std::string foreign_arguments(std::string_view query) {
  std::string text;
  for (const hls::QueryArgument &a : hls::split_query(query)) {
    if (!is_foreign(a.name)) continue;
    text.append("&").append(a.name);
    if (a.has_value) text.append("=").append(a.value);
  }
  return text;
}

ngx_int_t redirect_to_link(ngx_http_request_t *r, const hls::Link &link, const Source &source, const hls::Url &url) {
  Base base;
  if (!request_base(r, base)) return refuse(r, NGX_HTTP_BAD_REQUEST, "Host or hls_proxy_base is no part of a URL");
  hls::LinkScope scope;
  if (!make_scope(r, link, source, scope)) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  scope.base = base.path;

  hls::SingleWindow out;
  hls::LinkWriter writer(scope);
  auto kind = hls::is_media_name(url.name()) ? hls::UriKind::segment : hls::UriKind::playlist;
  if (scope.base.size() > 1024 || !writer.write(out, url, kind, nullptr, {}, false)) {
    return refuse(r, NGX_HTTP_BAD_REQUEST, "the stream's URL is too long");
  }

  std::string_view text = out.text();
  size_t question = text.find('?');
  ngx_str_t uri = pool_string(r->pool, text.substr(0, question));
  ngx_str_t args = pool_string(r->pool, std::string(text.substr(question + 1)) + foreign_arguments(view(r->args)));
  if (uri.data == nullptr || args.data == nullptr) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  return ngx_http_internal_redirect(r, &uri, &args);
}

// A request for an entry while its stream is being resolved.
struct Entry {
  Entry(ngx_http_request_t *r, hls::Link &&link) : request(r), link(std::move(link)) {}

  ngx_http_request_t *request;
  hls::Link link;
  std::unique_ptr<Wait> wait;
  unsigned leads = 0;
};

std::optional<hls::Generation> stale_generation(ngx_http_request_t *r, const Source &source, const hls::Link &link) {
  bool any_dead;
  auto generation = main_conf(r).zone->newest(link.stream_text, any_dead);
  auto now = static_cast<std::uint64_t>(ngx_time());
  if (!generation || source.stale == 0 || now >= generation->resolved + source.ttl + source.stale) return std::nullopt;
  return generation;
}

ngx_int_t unresolved(ngx_http_request_t *r, const Source &source, const hls::Link &link, ngx_uint_t status) {
  if (auto stale = stale_generation(r, source, link)) {
    return redirect_to_link(r, link, source, stale->answer.url);
  }
  ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "hls_proxy: %s could not be resolved (%ui)",
                stream_name(source, link.stream).c_str(), status);
  return static_cast<ngx_int_t>(status ? status : NGX_HTTP_BAD_GATEWAY);
}

void resume(ngx_http_request_t *r, bool late);

// NGX_AGAIN: the answer is still to come.
ngx_int_t serve(ngx_http_request_t *r, Entry &entry, bool late) {
  const Source &source = *location_conf(r).entry;
  Resolution found = resolve(r, source, entry.link, 0, 0, entry.wait.get(), entry.leads);
  switch (found.state) {
    case Resolution::State::ready:
      renew_if_due(r, source, entry.link, found.generation);
      return redirect_to_link(r, entry.link, source, found.generation.answer.url);
    case Resolution::State::failed:
      return unresolved(r, source, entry.link, found.failure);
    case Resolution::State::waiting:
      break;
  }
  if (late) return unresolved(r, source, entry.link, NGX_HTTP_GATEWAY_TIME_OUT);
  Wait::begin(entry.wait, r, *main_conf(r).zone, entry.link.stream_text, source.deadline, resume);
  return NGX_AGAIN;
}

void resume(ngx_http_request_t *r, bool late) {
  ngx_int_t rc = guarded(static_cast<ngx_int_t>(NGX_HTTP_INTERNAL_SERVER_ERROR), [&] {
    auto *entry = find_in_pool<Entry>(r->pool, [r](const Entry &e) { return e.request == r && e.wait; });
    ngx_int_t rc = serve(r, *entry, late);
    if (rc != NGX_AGAIN) entry->wait = nullptr;
    return rc;
  });
  if (rc != NGX_AGAIN) ngx_http_finalize_request(r, rc);
}

ngx_int_t serve_resolved(ngx_http_request_t *r, hls::Link &&link) {
  auto *entry = pool_new<Entry>(r->pool, r, std::move(link));
  if (entry == nullptr) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  ngx_int_t rc = serve(r, *entry, false);
  if (rc != NGX_AGAIN) return rc;
  ++r->main->count;
  return NGX_DONE;
}

ngx_int_t entry_handler_unguarded(ngx_http_request_t *r) {
  ngx_int_t rc = check_method(r);
  if (rc != NGX_DECLINED) return rc;
  hide_arguments_in_log(r);
  rc = ngx_http_discard_request_body(r);
  if (rc != NGX_OK) return rc;

  const Source &source = *location_conf(r).entry;
  hls::Arguments args = own_arguments(view(r->args));
  hls::Link link;
  hls::Arguments covered = args;
  if (!add_captured(r, source, covered)) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  rc = authorize(r, covered, link.end);
  if (rc != NGX_OK) return rc;
  rc = read_key(r, source, args, link.stream);
  if (rc != NGX_OK) return rc;
  link.stream_text = link.stream.encode();
  if (!source.resolver.empty()) return serve_resolved(r, std::move(link));

  hls::Url url;
  auto text = source.url.expand(key_values(link.stream), true);
  if (!text || !hls::parse_url(*text, url)) return refuse(r, NGX_HTTP_BAD_REQUEST, "the key makes no valid URL");
  return redirect_to_link(r, link, source, url);
}

}  // namespace

ngx_int_t entry_handler(ngx_http_request_t *r) {
  return guarded(static_cast<ngx_int_t>(NGX_HTTP_INTERNAL_SERVER_ERROR), [&] { return entry_handler_unguarded(r); });
}

}  // namespace hls_proxy
