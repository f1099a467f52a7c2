// hls_proxy_source name { key … entry … url … resolver … ttl … refresh_on … header … hosts … volatile … }

#include <algorithm>
#include <charconv>

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

char *url_and_resolver(ngx_conf_t *cf) {
  return error(cf, "\"url\" and \"resolver\" exclude each other: keep \"url\" if what it says stays valid, "
                   "\"resolver\" if URLs have to be asked for");
}

char *set_url(ngx_conf_t *cf, Source &source, const Words &words) {
  if (!source.resolver.empty()) return url_and_resolver(cf);
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

char *set_resolver(ngx_conf_t *cf, Source &source, const Words &words) {
  if (source.has_url) return url_and_resolver(cf);
  std::string_view path = words[1];
  if (path.empty() || path.front() != '/') {
    return error(cf, "resolver " + quoted(path) + " must be the path of an internal location: "
                     "say for example \"resolver /_resolve;\"");
  }
  for (char c : path) {
    bool plain = static_cast<unsigned char>(c) > 0x20 && c != 0x7f && c != '?' && c != '#' && c != '$';
    if (plain) continue;
    return error(cf, "resolver " + quoted(path) + " must be a plain path: "
                     "the key's arguments are added when it is asked");
  }
  source.resolver = path;
  return NGX_CONF_OK;
}

// Far above any sensible time, far below where sums of times overflow.
constexpr std::int64_t kMaxSeconds = std::int64_t{10} * 365 * 24 * 3600;

enum class Unit { seconds, milliseconds };

// False, with the error logged: no time, or one below `least`.
bool parse_time(ngx_conf_t *cf, std::string_view name, std::string_view text, Unit unit, ngx_int_t least,
                const std::string &example, ngx_int_t &to) {
  ngx_str_t value = {text.size(), reinterpret_cast<u_char *>(const_cast<char *>(text.data()))};
  to = ngx_parse_time(&value, unit == Unit::seconds);
  std::int64_t most = unit == Unit::seconds ? kMaxSeconds : kMaxSeconds * 1000;
  if (to != NGX_ERROR && to >= least && to <= most) return true;
  error(cf, std::string(name) + ": invalid time " + quoted(text) + ": say for example " + quoted(example));
  return false;
}

template <auto kMember, Unit kUnit, ngx_int_t kLeast>
char *set_time(ngx_conf_t *cf, Source &source, const Words &words) {
  ngx_int_t time;
  std::string example = std::string(words[0]) + " 30s;";
  if (!parse_time(cf, words[0], words[1], kUnit, kLeast, example, time)) return static_cast<char *>(NGX_CONF_ERROR);
  source.*kMember = static_cast<std::decay_t<decltype(source.*kMember)>>(time);
  return NGX_CONF_OK;
}

char *set_ttl(ngx_conf_t *cf, Source &source, const Words &words) {
  constexpr std::string_view kStale = "stale=";
  constexpr const char *kExample = "ttl 5m stale=1h;";
  ngx_int_t ttl, stale = 0;
  if (!parse_time(cf, "ttl", words[1], Unit::seconds, 1, kExample, ttl)) return static_cast<char *>(NGX_CONF_ERROR);
  if (words.size() > 2) {
    if (words[2].substr(0, kStale.size()) != kStale) {
      return error(cf, "ttl: unknown argument " + quoted(words[2]) + ": say for example " + quoted(kExample));
    }
    std::string_view text = words[2].substr(kStale.size());
    if (!parse_time(cf, "ttl", text, Unit::seconds, 0, kExample, stale)) return static_cast<char *>(NGX_CONF_ERROR);
  }
  source.ttl = static_cast<std::uint64_t>(ttl);
  source.stale = static_cast<std::uint64_t>(stale);
  return NGX_CONF_OK;
}

// Empty: understood and set.
std::string refresh_on_word(std::string_view word, RefreshOn &to) {
  for (auto [name, flag] : {std::pair<std::string_view, bool *>{"timeout", &to.timeout},
                            {"error", &to.error}, {"invalid", &to.invalid}}) {
    if (word == name) return std::exchange(*flag, true) ? " stands twice" : "";
  }
  ngx_uint_t status = 0;
  auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), status);
  if (code != std::errc() || end != word.data() + word.size() || word.size() != 3) {
    return " is neither a status nor \"timeout\", \"error\" or \"invalid\"";
  }
  if (status >= 500) return " is covered by the word \"error\": give statuses from 400 to 499 only";
  if (status < 400) return " is no error: give statuses from 400 to 499 only";
  if (std::find(to.statuses.begin(), to.statuses.end(), status) != to.statuses.end()) return " stands twice";
  to.statuses.push_back(status);
  return "";
}

char *set_refresh_on(ngx_conf_t *cf, Source &source, const Words &words) {
  RefreshOn chosen{{}, false, false, false};   // what is given replaces the default
  for (size_t i = 1; i < words.size(); ++i) {
    std::string reason = refresh_on_word(words[i], chosen);
    if (!reason.empty()) return error(cf, "refresh_on: " + quoted(words[i]) + reason);
  }
  source.refresh_on = std::move(chosen);
  return NGX_CONF_OK;
}

char *set_max_resolves(ngx_conf_t *cf, Source &source, const Words &words) {
  unsigned n = 0;
  auto [end, code] = std::from_chars(words[1].data(), words[1].data() + words[1].size(), n);
  if (code != std::errc() || end != words[1].data() + words[1].size() || n < 1 || n > 10000) {
    return error(cf, "max_resolves " + quoted(words[1]) + " must be a number from 1 to 10000, as in \"max_resolves 64\"");
  }
  source.max_resolves = n;
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
  bool repeatable = false;
  bool for_resolver = false;   // says nothing about a source with a `url`
};

constexpr SourceDirective kDirectives[] = {
    {"key", 1, 64, set_key},
    {"entry", 1, 1, set_entry},
    {"url", 1, 1, set_url},
    {"resolver", 1, 1, set_resolver},
    {"ttl", 1, 2, set_ttl, false, true},
    {"refresh_before", 1, 1, set_time<&Source::refresh_before, Unit::seconds, 0>, false, true},
    {"refresh_on", 1, 64, set_refresh_on, false, true},
    {"cooldown", 1, 1, set_time<&Source::cooldown, Unit::milliseconds, 0>, false, true},
    {"deadline", 1, 1, set_time<&Source::deadline, Unit::milliseconds, 1>, false, true},
    {"max_resolves", 1, 1, set_max_resolves, false, true},
    {"header", 2, 2, set_header, true},
    {"hosts", 1, 64, set_hosts, true},
    {"volatile", 1, 64, set_volatile, true},
};

struct Block {              // what is being read
  std::unique_ptr<Source> source = std::make_unique<Source>();
  std::vector<const SourceDirective *> seen;
};

char *source_directive(ngx_conf_t *cf, Block &block) {
  auto *args = static_cast<ngx_str_t *>(cf->args->elts);
  Words words;
  for (ngx_uint_t i = 0; i < cf->args->nelts; ++i) words.push_back(view(args[i]));

  for (const SourceDirective &d : kDirectives) {
    if (words[0] != d.name) continue;
    bool again = std::find(block.seen.begin(), block.seen.end(), &d) != block.seen.end();
    if (again && !d.repeatable) return error(cf, quoted(words[0]) + " is duplicate");
    block.seen.push_back(&d);
    size_t count = words.size() - 1;
    if (count >= d.min && count <= d.max) return d.set(cf, *block.source, words);
    return error(cf, "invalid number of arguments in " + quoted(words[0]));
  }
  std::string known;
  for (const SourceDirective &d : kDirectives) known += std::string(known.empty() ? "" : ", ") + d.name;
  return error(cf, "unknown directive " + quoted(words[0]) + ", known are: " + known);
}

char *source_line(ngx_conf_t *cf, ngx_command_t *, void *conf) {
  return guarded_conf([&] { return source_directive(cf, *static_cast<Block *>(conf)); });
}

// True also where the host depends on the key: then only a request can tell.
bool url_is_in_hosts(const Source &source) {
  hls::Url a, b;
  auto with_a = source.url.expand([](size_t) { return std::string_view("a"); }, true);
  auto with_b = source.url.expand([](size_t) { return std::string_view("b"); }, true);
  if (!with_a || !with_b || !hls::parse_url(*with_a, a) || !hls::parse_url(*with_b, b)) return true;
  return a.authority() != b.authority() || source.hosts.match(a.host(), a.port());
}

char *check_block(ngx_conf_t *cf, const Block &block) {
  const Source &source = *block.source;
  std::string name = "source " + quoted(source.name);
  if (!source.has_url && source.resolver.empty()) {
    return error(cf, name + " needs \"url\", where its streams are, or \"resolver\", which location knows it");
  }
  for (const SourceDirective *d : block.seen) {
    if (!source.resolver.empty() || !d->for_resolver) continue;
    ngx_conf_log_error(NGX_LOG_WARN, cf, 0, "hls_proxy_source: %s: \"%s\" has no effect without \"resolver\"",
                       name.c_str(), d->name);
  }
  if (source.has_url && !url_is_in_hosts(source)) {
    return error(cf, name + ": \"hosts\" must name the host of \"url\", too");
  }
  return NGX_CONF_OK;
}

char *parse_block(ngx_conf_t *cf) {
  std::string_view name = view(static_cast<ngx_str_t *>(cf->args->elts)[1]);
  MainConf &conf = main_conf(cf);
  if (name.empty() || name.size() > 64) return error(cf, "a name has 1 to 64 bytes");
  if (conf.source(name)) return error(cf, "source " + quoted(name) + " is duplicate");

  Block block;
  block.source->name = name;
  ngx_conf_t saved = *cf;
  cf->handler = [](ngx_conf_t *inner, ngx_command_t *cmd, void *data) { return source_line(inner, cmd, data); };
  cf->handler_conf = reinterpret_cast<char *>(&block);
  char *rc = ngx_conf_parse(cf, nullptr);
  *cf = saved;
  if (rc == NGX_CONF_OK) rc = check_block(cf, block);
  if (rc == NGX_CONF_OK) conf.sources.push_back(std::move(block.source));
  return rc;
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
