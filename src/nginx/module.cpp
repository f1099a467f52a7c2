#include <set>

#include "hls_proxy.h"

namespace hls_proxy {

namespace {

// ---- directives ----------------------------------------------------------------------------------

constexpr size_t kMinSecret = 16;
constexpr size_t kMinZone = 128 * 1024;

char *fail(ngx_conf_t *cf, const char *format, std::string_view text) {
  ngx_str_t s = {text.size(), reinterpret_cast<u_char *>(const_cast<char *>(text.data()))};
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, format, &s);
  return static_cast<char *>(NGX_CONF_ERROR);
}

bool read_first_line(ngx_conf_t *cf, std::string_view path, std::string &line) {
  ngx_str_t name = pool_string(cf->pool, path);
  if (name.data == nullptr || ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) return false;
  ngx_fd_t fd = ngx_open_file(name.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
  if (fd == NGX_INVALID_FILE) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "cannot open \"%V\"", &name);
    return false;
  }
  char buffer[4096];
  ssize_t n = ngx_read_fd(fd, buffer, sizeof(buffer));
  ngx_close_file(fd);
  if (n < 0) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "cannot read \"%V\"", &name);
    return false;
  }
  std::string_view text(buffer, static_cast<size_t>(n));
  line = text.substr(0, text.find_first_of("\r\n"));
  ngx_memzero(buffer, sizeof(buffer));
  return true;
}

// A secret is written where it can be kept: "file:path", "env:NAME", or plainly.
bool read_secret(ngx_conf_t *cf, std::string_view value, std::string &secret) {
  if (value.substr(0, 5) == "file:") return read_first_line(cf, value.substr(5), secret);
  if (value.substr(0, 4) == "env:") {
    std::string name(value.substr(4));
    const char *text = getenv(name.c_str());
    if (text == nullptr) {
      fail(cf, "environment variable \"%V\" is not set in nginx's environment", name);
      return false;
    }
    secret = text;
    return true;
  }
  for (std::string_view slip : {"/", "./", "$", "file=", "env=", "<"}) {
    if (value.substr(0, slip.size()) != slip) continue;
    fail(cf, "a secret or API key that begins with \"%V\": "
             "for a file say file:/path, for a variable env:NAME", slip);
    return false;
  }
  secret = value;
  return true;
}

char *secrets_directive(ngx_conf_t *cf, std::vector<std::string> &secrets, const char *what) {
  auto *args = static_cast<ngx_str_t *>(cf->args->elts);
  if (!secrets.empty()) return const_cast<char *>("is duplicate");
  for (ngx_uint_t i = 1; i < cf->args->nelts; ++i) {
    std::string secret;
    if (!read_secret(cf, view(args[i]), secret)) return static_cast<char *>(NGX_CONF_ERROR);
    if (secret.size() < kMinSecret) {
      ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                         "%s number %ui has %uz bytes, at least %uz are needed: "
                         "make one with \"openssl rand -hex 32\"",
                         what, i, secret.size(), kMinSecret);
      return static_cast<char *>(NGX_CONF_ERROR);
    }
    secrets.push_back(std::move(secret));
  }
  return NGX_CONF_OK;
}

char *secret_directive(ngx_conf_t *cf, ngx_command_t *, void *conf) {
  return guarded_conf([&]() -> char * {
    auto &server = *static_cast<ServerConf *>(conf);
    char *rc = secrets_directive(cf, server.secrets, "hls_proxy_secret");
    for (const std::string &secret : server.secrets) server.keys.emplace_back(secret);
    return rc;
  });
}

char *api_key_directive(ngx_conf_t *cf, ngx_command_t *, void *conf) {
  return guarded_conf([&]() -> char * {
    return secrets_directive(cf, static_cast<ServerConf *>(conf)->api_keys, "hls_proxy_api_key");
  });
}

LinkLocation link_location(ngx_conf_t *cf) {
  auto *ctx = static_cast<ngx_http_conf_ctx_t *>(cf->ctx);
  return {ctx->srv_conf[ngx_http_core_module.ctx_index],
          static_cast<ngx_http_core_loc_conf_t *>(ctx->loc_conf[ngx_http_core_module.ctx_index])};
}

char *enable_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf) {
  char *rc = ngx_conf_set_flag_slot(cf, cmd, conf);
  if (rc != NGX_CONF_OK || !static_cast<LocationConf *>(conf)->enable) return rc;
  return guarded_conf([&]() -> char * {
    main_conf(cf).link_locations.push_back(link_location(cf));
    return NGX_CONF_OK;
  });
}

char *link_ttl_directive(ngx_conf_t *cf, ngx_command_t *, void *conf) {
  auto &location = *static_cast<LocationConf *>(conf);
  if (location.media_ttl != NGX_CONF_UNSET) return const_cast<char *>("is duplicate");

  auto *args = static_cast<ngx_str_t *>(cf->args->elts);
  for (ngx_uint_t i = 1; i < cf->args->nelts; ++i) {
    ngx_str_t text = args[i];
    time_t *ttl = &location.media_ttl;
    if (view(text).substr(0, 9) == "playlist=") {
      text.data += 9;
      text.len -= 9;
      ttl = &location.playlist_ttl;
    }
    if (*ttl != NGX_CONF_UNSET)
      return fail(cf, "hls_proxy_link_ttl: \"%V\" sets a time a second time", view(args[i]));
    *ttl = ngx_parse_time(&text, 1);
    if (*ttl == static_cast<time_t>(NGX_ERROR) || *ttl <= 0) {
      *ttl = NGX_CONF_UNSET;
      return fail(cf, "hls_proxy_link_ttl: invalid time \"%V\": say for example 12h, or playlist=7d", view(args[i]));
    }
  }
  return location.media_ttl == NGX_CONF_UNSET ? const_cast<char *>("needs a time before playlist=…")
                                              : static_cast<char *>(NGX_CONF_OK);
}

// `hls_proxy_zone name:size`
char *zone_directive(ngx_conf_t *cf, ngx_command_t *, void *conf) {
  return guarded_conf([&]() -> char * {
    auto &main = *static_cast<MainConf *>(conf);
    if (main.zone) return const_cast<char *>("is duplicate");

    std::string_view text = view(static_cast<ngx_str_t *>(cf->args->elts)[1]);
    size_t colon = text.find(':');
    std::string_view name = text.substr(0, colon);
    std::string_view number = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
    ngx_str_t value = {number.size(), reinterpret_cast<u_char *>(const_cast<char *>(number.data()))};
    ssize_t size = number.empty() ? NGX_ERROR : ngx_parse_size(&value);
    if (name.empty() || size == NGX_ERROR) {
      return fail(cf, "hls_proxy_zone: \"%V\" is not a name and a size: say for example hls_proxy_zone hls:32m;", text);
    }
    if (static_cast<size_t>(size) < kMinZone) {
      return fail(cf, "hls_proxy_zone: \"%V\" is too small, at least 128k are needed: "
                      "say for example hls_proxy_zone hls:32m;", text);
    }
    main.zone = Zone::create(cf, name, static_cast<size_t>(size));
    return main.zone ? NGX_CONF_OK : static_cast<char *>(NGX_CONF_ERROR);
  });
}

bool compile_value(ngx_conf_t *cf, ngx_str_t *text, ngx_http_complex_value_t *value) {
  ngx_http_compile_complex_value_t ccv;
  ngx_memzero(&ccv, sizeof(ccv));
  ccv.cf = cf;
  ccv.value = text;
  ccv.complex_value = value;
  return ngx_http_compile_complex_value(&ccv) == NGX_OK;
}

char *set_handler(ngx_conf_t *cf, ngx_http_handler_pt handler) {
  auto *core = static_cast<ngx_http_core_loc_conf_t *>(
      ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
  if (core->handler) return const_cast<char *>("stands beside another directive that answers requests");
  core->handler = handler;
  return NGX_CONF_OK;
}

// `hls_proxy_entry source [arg=value ...]`
char *entry_directive_unguarded(ngx_conf_t *cf, LocationConf &location) {
  auto *args = static_cast<ngx_str_t *>(cf->args->elts);
  if (location.entry) return const_cast<char *>("is duplicate");

  location.entry = main_conf(cf).source(view(args[1]));
  if (location.entry == nullptr) {
    return fail(cf, "hls_proxy_entry: no source \"%V\": an hls_proxy_source block of that name "
                    "must stand before this", view(args[1]));
  }
  if (cf->args->nelts > 2) {
    location.entry_arguments = ngx_array_create(cf->pool, cf->args->nelts - 2, sizeof(EntryArgument));
    if (location.entry_arguments == nullptr) return static_cast<char *>(NGX_CONF_ERROR);
  }
  for (ngx_uint_t i = 2; i < cf->args->nelts; ++i) {
    std::string_view text = view(args[i]);
    size_t equals = text.find('=');
    const auto &key = location.entry->key;
    ngx_uint_t index = 0;
    while (index < key.size() && key[index].name != text.substr(0, equals)) ++index;
    if (equals == std::string_view::npos || index == key.size()) {
      return fail(cf, "hls_proxy_entry: \"%V\" does not name an argument of the source's key: "
                      "write name=value", text);
    }
    auto *argument = static_cast<EntryArgument *>(ngx_array_push(location.entry_arguments));
    ngx_str_t value = {text.size() - equals - 1, args[i].data + equals + 1};
    if (argument == nullptr || !compile_value(cf, &value, &argument->value)) {
      return static_cast<char *>(NGX_CONF_ERROR);
    }
    argument->index = index;
  }

  return set_handler(cf, [](ngx_http_request_t *r) { return entry_handler(r); });
}

char *entry_directive(ngx_conf_t *cf, ngx_command_t *, void *conf) {
  return guarded_conf([&] { return entry_directive_unguarded(cf, *static_cast<LocationConf *>(conf)); });
}

char *refresh_directive(ngx_conf_t *cf, ngx_command_t *, void *conf) {
  auto &location = *static_cast<LocationConf *>(conf);
  if (location.refresh) return const_cast<char *>("is duplicate");
  location.refresh = 1;
  return set_handler(cf, [](ngx_http_request_t *r) { return refresh_handler(r); });
}

// `hls_proxy_status prometheus`
char *status_directive(ngx_conf_t *cf, ngx_command_t *, void *conf) {
  auto &location = *static_cast<LocationConf *>(conf);
  if (location.status) return const_cast<char *>("is duplicate");
  auto *args = static_cast<ngx_str_t *>(cf->args->elts);
  if (cf->args->nelts != 2 || view(args[1]) != "prometheus") {
    return fail(cf, "hls_proxy_status: only prometheus yet: say %V", "hls_proxy_status prometheus;");
  }
  location.status = 1;
  return set_handler(cf, [](ngx_http_request_t *r) { return status_handler(r); });
}

ngx_conf_enum_t auth_values[] = {
    {ngx_string("token"), static_cast<ngx_uint_t>(Auth::token)},
    {ngx_string("apikey"), static_cast<ngx_uint_t>(Auth::apikey)},
    {ngx_string("none"), static_cast<ngx_uint_t>(Auth::none)},
    {ngx_null_string, 0}};

constexpr ngx_uint_t kAnyLevel = NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF;

ngx_command_t commands[] = {
    {ngx_string("hls_proxy_source"), NGX_HTTP_MAIN_CONF | NGX_CONF_BLOCK | NGX_CONF_TAKE1, source_block,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, nullptr},
    {ngx_string("hls_proxy_secret"), NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_CONF_1MORE, secret_directive,
     NGX_HTTP_SRV_CONF_OFFSET, 0, nullptr},
    {ngx_string("hls_proxy_api_key"), NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_CONF_1MORE,
     api_key_directive, NGX_HTTP_SRV_CONF_OFFSET, 0, nullptr},
    {ngx_string("hls_proxy"), kAnyLevel | NGX_HTTP_LIF_CONF | NGX_CONF_FLAG, enable_directive,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocationConf, enable), nullptr},
    {ngx_string("hls_proxy_base"), kAnyLevel | NGX_CONF_TAKE1, ngx_http_set_complex_value_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocationConf, base), nullptr},
    {ngx_string("hls_proxy_public_base"), kAnyLevel | NGX_CONF_TAKE1, ngx_http_set_complex_value_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocationConf, public_base), nullptr},
    {ngx_string("hls_proxy_auth"), kAnyLevel | NGX_CONF_TAKE1, ngx_conf_set_enum_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocationConf, auth), &auth_values},
    {ngx_string("hls_proxy_link_ttl"), kAnyLevel | NGX_CONF_TAKE12, link_ttl_directive,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("hls_proxy_link_bind"), kAnyLevel | NGX_CONF_TAKE1, ngx_http_set_complex_value_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocationConf, bind), nullptr},
    {ngx_string("hls_proxy_max_playlist"), kAnyLevel | NGX_CONF_TAKE1, ngx_conf_set_size_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(LocationConf, max_playlist), nullptr},
    {ngx_string("hls_proxy_entry"), NGX_HTTP_LOC_CONF | NGX_HTTP_LIF_CONF | NGX_CONF_1MORE, entry_directive,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("hls_proxy_zone"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, zone_directive,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, nullptr},
    {ngx_string("hls_proxy_refresh"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, refresh_directive,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    {ngx_string("hls_proxy_status"), NGX_HTTP_LOC_CONF | NGX_CONF_ANY, status_directive,
     NGX_HTTP_LOC_CONF_OFFSET, 0, nullptr},
    ngx_null_command};

// ---- configuration life cycle --------------------------------------------------------------------

void *create_main_conf(ngx_conf_t *cf) {
  return guarded(static_cast<void *>(nullptr), [&]() -> void * { return pool_new<MainConf>(cf->pool); });
}

// The zone may stand after the sources.
char *init_main_conf(ngx_conf_t *cf, void *data) {
  return guarded_conf([&]() -> char * {
    auto &conf = *static_cast<MainConf *>(data);
    for (const auto &source : conf.sources) {
      if (conf.zone || source->resolver.empty()) continue;
      return fail(cf, "hls_proxy_source \"%V\": \"resolver\" needs hls_proxy_zone: "
                      "add \"hls_proxy_zone hls:32m;\" to http", source->name);
    }
    return NGX_CONF_OK;
  });
}

void *create_server_conf(ngx_conf_t *cf) {
  return guarded(static_cast<void *>(nullptr), [&]() -> void * { return pool_new<ServerConf>(cf->pool); });
}

char *merge_server_conf(ngx_conf_t *, void *parent, void *child) {
  return guarded_conf([&]() -> char * {
    auto &prev = *static_cast<ServerConf *>(parent);
    auto &conf = *static_cast<ServerConf *>(child);
    if (conf.secrets.empty()) {
      conf.secrets = prev.secrets;
      conf.keys = prev.keys;
    }
    if (conf.api_keys.empty()) conf.api_keys = prev.api_keys;
    return NGX_CONF_OK;
  });
}

void *create_location_conf(ngx_conf_t *cf) {
  auto *conf = static_cast<LocationConf *>(ngx_pcalloc(cf->pool, sizeof(LocationConf)));
  if (conf == nullptr) return nullptr;
  conf->enable = NGX_CONF_UNSET;
  conf->base = static_cast<ngx_http_complex_value_t *>(NGX_CONF_UNSET_PTR);
  conf->public_base = static_cast<ngx_http_complex_value_t *>(NGX_CONF_UNSET_PTR);
  conf->bind = static_cast<ngx_http_complex_value_t *>(NGX_CONF_UNSET_PTR);
  conf->auth = NGX_CONF_UNSET_UINT;
  conf->media_ttl = NGX_CONF_UNSET;
  conf->playlist_ttl = NGX_CONF_UNSET;
  conf->max_playlist = NGX_CONF_UNSET_SIZE;
  return conf;
}

ngx_http_complex_value_t *default_value(ngx_conf_t *cf, const char *text) {
  auto *value = static_cast<ngx_http_complex_value_t *>(ngx_pcalloc(cf->pool, sizeof(ngx_http_complex_value_t)));
  ngx_str_t s = {ngx_strlen(text), reinterpret_cast<u_char *>(const_cast<char *>(text))};
  return value && compile_value(cf, &s, value) ? value : nullptr;
}

// Where links are mounted must be served: the most likely slip, and one that only shows when playing.
void warn_if_unserved(ngx_conf_t *cf, const LocationConf &conf, std::string_view base) {
  size_t scheme = base.find("://");
  if (scheme != std::string_view::npos) return;   // another host may serve them

  auto *ctx = static_cast<ngx_http_conf_ctx_t *>(cf->ctx);
  void *server = ctx->srv_conf[ngx_http_core_module.ctx_index];
  for (const char *kind : {"/playlist/", "/media/"}) {
    std::string path = std::string(base) + kind;
    bool served = false;
    for (const LinkLocation &l : main_conf(cf).link_locations) {
      if (l.location->name.len == 0) served = true;   // at http or server level: whatever serves it has it on
      if (l.server != server) continue;
#if (NGX_PCRE)
      if (l.location->regex) served = true;
#endif
      std::string_view name = view(l.location->name);
      if (path.compare(0, name.size(), name) == 0) served = true;
    }
    if (served) continue;
    ngx_str_t text = pool_string(cf->pool, path);
    ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                       "no location of this server with \"hls_proxy on\" serves \"%V\", "
                       "where the links of hls_proxy_entry lead: add one, or set hls_proxy_base", &text);
  }
}

char *check_location(ngx_conf_t *cf, const LocationConf &conf) {
  auto &server = *static_cast<ServerConf *>(ngx_http_conf_get_module_srv_conf(cf, ngx_http_hls_proxy_module));
  if ((conf.enable || conf.entry) && server.secrets.empty()) {
    return fail(cf, "%V needs hls_proxy_secret, in this server or in http: "
                    "hls_proxy_secret file:/etc/nginx/hls.secret;",
                conf.enable ? "\"hls_proxy on\"" : "hls_proxy_entry");
  }
  if (conf.entry && conf.auth == static_cast<ngx_uint_t>(Auth::apikey) && server.api_keys.empty()) {
    return fail(cf, "\"hls_proxy_auth apikey\" needs %V, in this server or in http", "hls_proxy_api_key");
  }
  if (conf.status && main_conf(cf).zone == nullptr) {
    return fail(cf, "hls_proxy_status shows what is in the zone: add \"%V\" to http", "hls_proxy_zone hls:32m;");
  }

  // Only a base without variables can be looked at now.
  if (conf.base->lengths == nullptr) {
    std::string_view base = view(conf.base->value);
    bool absolute = base.substr(0, 7) == "http://" || base.substr(0, 8) == "https://";
    if (!absolute && !base.empty() && base.front() != '/') {
      return fail(cf, "hls_proxy_base \"%V\" must begin with '/', http:// or https://", base);
    }
    if (base.size() > 512 || base.find_first_of("?#\"' ,\\{}") != std::string_view::npos) {
      return fail(cf, "hls_proxy_base \"%V\" must be a plain path of at most 512 bytes", base);
    }
    if (conf.public_base->lengths == nullptr) {
      std::string_view origin = view(conf.public_base->value);
      if (origin.substr(0, 7) != "http://" && origin.substr(0, 8) != "https://") {
        return fail(cf, "hls_proxy_public_base \"%V\" must begin with http:// or https://", origin);
      }
    }
    if (conf.entry) warn_if_unserved(cf, conf, base.substr(0, base.find_last_not_of('/') + 1));
  }
  return NGX_CONF_OK;
}

char *merge_location_conf(ngx_conf_t *cf, void *parent, void *child) {
  auto *prev = static_cast<LocationConf *>(parent);
  auto *conf = static_cast<LocationConf *>(child);

  ngx_conf_merge_value(conf->enable, prev->enable, 0);
  for (auto member : {&LocationConf::base, &LocationConf::public_base, &LocationConf::bind}) {
    if (conf->*member == NGX_CONF_UNSET_PTR) conf->*member = prev->*member;
    if (conf->*member != NGX_CONF_UNSET_PTR) continue;
    conf->*member = default_value(cf, member == &LocationConf::base          ? "/hls"
                                      : member == &LocationConf::public_base ? "$scheme://$http_host"
                                                                             : "");
    if (conf->*member == nullptr) return static_cast<char *>(NGX_CONF_ERROR);
    prev->*member = conf->*member;
  }
  ngx_conf_merge_uint_value(conf->auth, prev->auth, static_cast<ngx_uint_t>(Auth::token));
  ngx_conf_merge_value(conf->media_ttl, prev->media_ttl, 12 * 3600);
  ngx_conf_merge_value(conf->playlist_ttl, prev->playlist_ttl, 7 * 24 * 3600);
  ngx_conf_merge_size_value(conf->max_playlist, prev->max_playlist, 32 * 1024 * 1024);

  // Inside `if` the handler of the location survives and meets the block's configuration.
  auto *core = static_cast<ngx_http_core_loc_conf_t *>(
      ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
  if (core->noname && conf->entry == nullptr) {
    conf->entry = prev->entry;
    conf->entry_arguments = prev->entry_arguments;
    conf->refresh = prev->refresh;
    conf->status = prev->status;
  }
  // None of these is a link, whatever a level above says.
  if (conf->entry || conf->refresh || conf->status) conf->enable = 0;

  return guarded_conf([&]() -> char * {
    if (conf->enable) main_conf(cf).enabled_locations.push_back(link_location(cf));
    return check_location(cf, *conf);
  });
}

ngx_int_t pre_configuration(ngx_conf_t *cf) {
  return guarded(static_cast<ngx_int_t>(NGX_ERROR), [&]() -> ngx_int_t {
    if (origin_add_upstream(cf) != NGX_OK) return NGX_ERROR;
    return add_variables(cf);
  });
}

bool has_refresh_location(const ngx_http_core_srv_conf_t &server, std::string_view name) {
  for (ngx_http_core_loc_conf_t **l = server.named_locations; l && *l; ++l) {
    if (view((*l)->name) != name) continue;
    return static_cast<LocationConf *>((*l)->loc_conf[ngx_http_hls_proxy_module.ctx_index])->refresh;
  }
  return false;
}

// nginx looks for a named location only when an error leads there, and then answers 500. In a server without
// @hls_refresh the origin's status is better.
bool drop_error_pages(ngx_conf_t *cf, const LinkLocation &l, std::set<void *> &warned) {
  static constexpr std::string_view kName = "@hls_refresh";
  ngx_array_t *pages = l.location->error_pages;
  auto &server = *static_cast<ngx_http_core_srv_conf_t *>(l.server);
  if (pages == nullptr || has_refresh_location(server, kName)) return true;

  ngx_array_t *kept = ngx_array_create(cf->pool, pages->nelts, sizeof(ngx_http_err_page_t));
  if (kept == nullptr) return false;
  for (ngx_uint_t i = 0; i < pages->nelts; ++i) {
    auto &page = static_cast<ngx_http_err_page_t *>(pages->elts)[i];
    if (view(page.value.value) != kName) *static_cast<ngx_http_err_page_t *>(ngx_array_push(kept)) = page;
  }
  if (kept->nelts == pages->nelts) return true;
  l.location->error_pages = kept->nelts ? kept : nullptr;
  if (!warned.insert(l.server).second) return true;
  ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                     "server in %s:%ui has no \"location @hls_refresh { hls_proxy_refresh; }\", where error_page of "
                     "hls_proxy_params leads: no URL is refreshed, and no redirect followed",
                     server.file_name, server.line);
  return true;
}

ngx_int_t post_configuration(ngx_conf_t *cf) {
  bool dropped = guarded(false, [&] {
    std::set<void *> warned;
    for (const LinkLocation &l : main_conf(cf).enabled_locations) {
      if (!drop_error_pages(cf, l, warned)) return false;
    }
    return true;
  });
  if (!dropped) return NGX_ERROR;

  auto *core = static_cast<ngx_http_core_main_conf_t *>(
      ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
  // Preaccess, because `satisfy any` and subrequests skip access handlers.
  auto *handler = static_cast<ngx_http_handler_pt *>(
      ngx_array_push(&core->phases[NGX_HTTP_PREACCESS_PHASE].handlers));
  if (handler == nullptr) return NGX_ERROR;
  *handler = [](ngx_http_request_t *r) { return link_phase(r); };

  handler = static_cast<ngx_http_handler_pt *>(ngx_array_push(&core->phases[NGX_HTTP_POST_READ_PHASE].handlers));
  if (handler == nullptr) return NGX_ERROR;
  *handler = [](ngx_http_request_t *r) { return log_phase(r); };
  handler = static_cast<ngx_http_handler_pt *>(
      ngx_array_push(&core->phases[NGX_HTTP_PRECONTENT_PHASE].handlers));
  if (handler == nullptr) return NGX_ERROR;
  *handler = [](ngx_http_request_t *r) { return header_phase(r); };

  if (origin_hook_upstreams(cf) != NGX_OK) return NGX_ERROR;
  return install_filters(cf);
}

// Whoever waits in another worker need not wait until this process is missed.
void exit_process(ngx_cycle_t *cycle) {
  auto *conf = static_cast<MainConf *>(ngx_http_cycle_get_module_main_conf(cycle, ngx_http_hls_proxy_module));
  if (conf && conf->zone) conf->zone->abandon_all();
}

ngx_http_module_t module_context = {
    pre_configuration,    post_configuration,   create_main_conf,     init_main_conf,
    create_server_conf,   merge_server_conf,    create_location_conf, merge_location_conf};

}  // namespace

// ---- access to configuration ---------------------------------------------------------------------

MainConf &main_conf(ngx_conf_t *cf) {
  return *static_cast<MainConf *>(ngx_http_conf_get_module_main_conf(cf, ngx_http_hls_proxy_module));
}

MainConf &main_conf(ngx_http_request_t *r) {
  return *static_cast<MainConf *>(ngx_http_get_module_main_conf(r, ngx_http_hls_proxy_module));
}

ServerConf &server_conf(ngx_http_request_t *r) {
  return *static_cast<ServerConf *>(ngx_http_get_module_srv_conf(r, ngx_http_hls_proxy_module));
}

LocationConf &location_conf(ngx_http_request_t *r) {
  return *static_cast<LocationConf *>(ngx_http_get_module_loc_conf(r, ngx_http_hls_proxy_module));
}

Source *MainConf::source(std::string_view name) const {
  for (const auto &source : sources) {
    if (source->name == name) return source.get();
  }
  return nullptr;
}

bool evaluate(ngx_http_request_t *r, ngx_http_complex_value_t *value, std::string &to) {
  ngx_str_t text;
  if (ngx_http_complex_value(r, value, &text) != NGX_OK) return false;
  to = view(text);
  return true;
}

}  // namespace hls_proxy

extern "C" {
ngx_module_t ngx_http_hls_proxy_module = {
    NGX_MODULE_V1,
    &hls_proxy::module_context,
    hls_proxy::commands,
    NGX_HTTP_MODULE,
    nullptr, nullptr, nullptr, nullptr, nullptr, hls_proxy::exit_process, nullptr,
    NGX_MODULE_V1_PADDING};
}
