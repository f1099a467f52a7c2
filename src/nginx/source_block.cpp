// hls_proxy_source name { key … entry … url … header … hosts … volatile … }

#include "hls_proxy.h"

namespace hls_proxy {

namespace {

using Words = std::vector<std::string_view>;

char *error(ngx_conf_t *cf, const std::string &text) {
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "hls_proxy_source: %s", text.c_str());
  return static_cast<char *>(NGX_CONF_ERROR);
}

std::string quoted(std::string_view text) { return '"' + std::string(text) + '"'; }

bool is_word(std::string_view text) {
  for (char c : text) {
    if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '_') return false;
  }
  return !text.empty();
}

bool is_token(std::string_view text) {   // RFC 9110 5.6.2
  static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  for (char c : text) {
    if (!is_word({&c, 1}) && kMarks.find(c) == std::string_view::npos) return false;
  }
  return !text.empty();
}

ngx_regex_t *compile_regex(ngx_conf_t *cf, std::string_view pattern) {
  ngx_regex_compile_t rc;
  u_char message[NGX_MAX_CONF_ERRSTR];
  ngx_memzero(&rc, sizeof(rc));
  rc.pattern = pool_string(cf->pool, pattern);
  rc.pool = cf->pool;
  rc.err.len = sizeof(message);
  rc.err.data = message;
  if (rc.pattern.data == nullptr) return nullptr;
  if (ngx_regex_compile(&rc) == NGX_OK) return rc.regex;
  ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "hls_proxy_source: key: %V", &rc.err);
  return nullptr;
}

char *set_key(ngx_conf_t *cf, Source &source, const Words &words) {
  if (!source.key.empty()) return error(cf, "\"key\" is duplicate");
  for (size_t i = 1; i < words.size(); ++i) {
    size_t equals = words[i].find('=');
    std::string_view name = words[i].substr(0, equals);
    if (!is_word(name)) {
      return error(cf, "key argument " + quoted(name) + " must consist of letters, digits and '_'");
    }
    if (name == "sig" || name == "token" || name == "until" || name == "CMCD" || name.substr(0, 5) == "_HLS_") {
      return error(cf, "key argument " + quoted(name) +
                           " is taken: entries use sig, token and until themselves, players CMCD and _HLS_*");
    }
    for (const KeyArgument &k : source.key) {
      if (k.name == name) return error(cf, "key argument " + quoted(name) + " stands twice");
    }
    ngx_regex_t *regex = nullptr;
    if (equals != std::string_view::npos) {
      regex = compile_regex(cf, words[i].substr(equals + 1));
      if (regex == nullptr) return static_cast<char *>(NGX_CONF_ERROR);
    }
    source.key.push_back({std::string(name), regex});
  }
  return NGX_CONF_OK;
}

char *set_entry(ngx_conf_t *cf, Source &source, const Words &words) {
  if (!source.entry.empty()) return error(cf, "\"entry\" is duplicate");
  if (words[1].empty() || words[1].front() != '/') {
    return error(cf, "entry " + quoted(words[1]) + " must be a path that begins with '/'");
  }
  source.entry = words[1];
  return NGX_CONF_OK;
}

bool parse_template(ngx_conf_t *cf, const Source &source, std::string_view text, hls::UrlTemplate &to) {
  std::string reason;
  if (to.parse(text, source.key_names(), reason)) return true;
  error(cf, quoted(text) + ": " + reason + (source.key.empty() ? " (\"key\" must stand before)" : ""));
  return false;
}

char *set_url(ngx_conf_t *cf, Source &source, const Words &words) {
  if (source.has_url) return error(cf, "\"url\" is duplicate");
  if (words[1].substr(0, 7) != "http://" && words[1].substr(0, 8) != "https://") {
    return error(cf, "url " + quoted(words[1]) + " must begin with http:// or https://");
  }
  if (!parse_template(cf, source, words[1], source.url)) return static_cast<char *>(NGX_CONF_ERROR);
  hls::Url url;
  if (source.url.constant() && !hls::parse_url(*source.url.expand({}, true), url)) {
    return error(cf, "url " + quoted(words[1]) + " is not a valid URL");
  }
  source.has_url = true;
  return NGX_CONF_OK;
}

char *set_header(ngx_conf_t *cf, Source &source, const Words &words) {
  static constexpr const char *kOurs[] = {"host", "connection", "content-length", "transfer-encoding", "range",
                                          "if-range", "te", "upgrade", "expect", "keep-alive"};
  if (!is_token(words[1])) return error(cf, "header name " + quoted(words[1]) + " is not one");
  for (const char *name : kOurs) {
    if (same_name(words[1], name)) {
      return error(cf, "header " + quoted(words[1]) + " is set by nginx and cannot be given");
    }
  }
  for (char c : words[2]) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return error(cf, "the value of header " + quoted(words[1]) + " holds a control character");
    }
  }
  hls::UrlTemplate value;
  if (!parse_template(cf, source, words[2], value)) return static_cast<char *>(NGX_CONF_ERROR);
  source.headers.emplace_back(words[1], std::move(value));
  return NGX_CONF_OK;
}

char *set_hosts(ngx_conf_t *cf, Source &source, const Words &words) {
  for (size_t i = 1; i < words.size(); ++i) {
    std::string reason;
    if (!source.hosts.add(words[i], reason)) return error(cf, "hosts " + quoted(words[i]) + ": " + reason);
  }
  return NGX_CONF_OK;
}

char *set_volatile(ngx_conf_t *, Source &source, const Words &words) {
  for (size_t i = 1; i < words.size(); ++i) {
    if (words[i] == "host") {
      source.volatile_host = true;
    } else {
      source.volatile_arguments.emplace_back(words[i]);
    }
  }
  return NGX_CONF_OK;
}

struct SourceDirective {
  const char *name;
  size_t min, max;          // arguments
  char *(*set)(ngx_conf_t *, Source &, const Words &);
};

constexpr SourceDirective kDirectives[] = {
    {"key", 1, 64, set_key},       {"entry", 1, 1, set_entry},  {"url", 1, 1, set_url},
    {"header", 2, 2, set_header},  {"hosts", 1, 64, set_hosts}, {"volatile", 1, 64, set_volatile},
};

char *source_directive(ngx_conf_t *cf, Source &source) {
  auto *args = static_cast<ngx_str_t *>(cf->args->elts);
  Words words;
  for (ngx_uint_t i = 0; i < cf->args->nelts; ++i) words.push_back(view(args[i]));

  for (const SourceDirective &d : kDirectives) {
    if (words[0] != d.name) continue;
    size_t count = words.size() - 1;
    if (count >= d.min && count <= d.max) return d.set(cf, source, words);
    return error(cf, "invalid number of arguments in " + quoted(words[0]));
  }
  std::string known;
  for (const SourceDirective &d : kDirectives) known += std::string(known.empty() ? "" : ", ") + d.name;
  return error(cf, "unknown directive " + quoted(words[0]) + ", known are: " + known);
}

char *source_line(ngx_conf_t *cf, ngx_command_t *, void *conf) {
  return guarded_conf([&] { return source_directive(cf, *static_cast<Source *>(conf)); });
}

// True also where the host depends on the key: then only a request can tell.
bool url_is_in_hosts(const Source &source) {
  hls::Url a, b;
  auto with_a = source.url.expand([](size_t) { return std::string_view("a"); }, true);
  auto with_b = source.url.expand([](size_t) { return std::string_view("b"); }, true);
  if (!with_a || !with_b || !hls::parse_url(*with_a, a) || !hls::parse_url(*with_b, b)) return true;
  return a.authority() != b.authority() || source.hosts.match(a.host(), a.port());
}

char *parse_block(ngx_conf_t *cf) {
  std::string_view name = view(static_cast<ngx_str_t *>(cf->args->elts)[1]);
  MainConf &conf = main_conf(cf);
  if (name.empty() || name.size() > 64) return error(cf, "a name has 1 to 64 bytes");
  if (conf.source(name)) return error(cf, "source " + quoted(name) + " is duplicate");

  auto source = std::make_unique<Source>();
  source->name = name;
  ngx_conf_t saved = *cf;
  cf->handler = [](ngx_conf_t *inner, ngx_command_t *cmd, void *data) { return source_line(inner, cmd, data); };
  cf->handler_conf = reinterpret_cast<char *>(source.get());
  char *rc = ngx_conf_parse(cf, nullptr);
  *cf = saved;
  if (rc != NGX_CONF_OK) return rc;

  if (!source->has_url) {
    return error(cf, "source " + quoted(source->name) + " needs \"url\": where its streams are");
  }
  if (!url_is_in_hosts(*source)) {
    return error(cf, "source " + quoted(source->name) + ": \"hosts\" must name the host of \"url\", too");
  }
  conf.sources.push_back(std::move(source));
  return NGX_CONF_OK;
}

}  // namespace

std::vector<std::string> Source::key_names() const {
  std::vector<std::string> names;
  for (const KeyArgument &k : key) names.push_back(k.name);
  return names;
}

char *source_block(ngx_conf_t *cf, ngx_command_t *, void *) {
  return guarded_conf([&] { return parse_block(cf); });
}

}  // namespace hls_proxy
