// What the module's files share: configuration, the state of one request, and who does what.
// The way of a request, from top to bottom:
//
//   entry_handler      <entry>?key…&sig       → the stream is resolved; internal redirect to a fresh link
//   link_phase         preaccess              → the link is opened, rebound if its generation is dead,
//   origin_lookup                               the host is looked up, request headers are replaced
//   variables          proxy_pass $hls_proxy_pass
//   origin_peer        hls_origin's balancer  → connects to the address that was looked up
//   origin_response    process_header         → says what the body is before a header goes out
//   response_filter    header and body filter → header rules
//   rewritten_response                        → playlists and JSON, rewritten as they stream by
//   refresh_handler    error_page @hls_refresh → follows a redirect, or finds what takes the place of a dead
//                                               URL, and sends the request back to link_phase
//
// Beside it, without any client, by an internal_request: resolving (the resolver is asked once for all who wait)
// and playlist_fetch (the fresh playlists that rebinding looks in). zone holds what all workers know of a stream,
// stream_memory what one keeps parsed; playlist_recorder puts into the zone what stands where. Requests that need
// any of it sit in a Wait.

#ifndef NGX_HTTP_HLS_PROXY_H
#define NGX_HTTP_HLS_PROXY_H

extern "C" {
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
}

#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/host_patterns.h"
#include "core/link.h"
#include "core/sniff.h"
#include "core/url_template.h"
#include "zone.h"

extern "C" ngx_module_t ngx_http_hls_proxy_module;

namespace hls_proxy {

// ---- configuration -------------------------------------------------------------------------------

struct KeyArgument {
  std::string name;
  ngx_regex_t *regex;      // null: any value
};

struct RefreshOn {         // `refresh_on`
  std::vector<ngx_uint_t> statuses = {403, 404, 410, 429, 451};
  bool timeout = true, error = true, invalid = true;
};

struct Source {
  std::string name;
  std::vector<KeyArgument> key;
  std::string entry;
  hls::UrlTemplate url;
  bool has_url = false;
  std::string resolver;                 // path of an internal location; empty: none, `url` says it all
  std::uint64_t ttl = 300, stale = 0;   // seconds
  ngx_msec_t cooldown = 10 * 1000, deadline = 45 * 1000;
  std::uint64_t refresh_before = 0;     // seconds
  ngx_uint_t max_resolves = 64;         // at once, in one worker
  RefreshOn refresh_on;
  std::vector<std::pair<std::string, hls::UrlTemplate>> headers;
  hls::HostPatterns hosts;
  std::vector<std::string> volatile_arguments;
  bool volatile_host = false;

  std::vector<std::string> key_names() const;
};

struct LinkLocation {      // a location with `hls_proxy on`
  void *server;            // the core module's configuration of its server
  ngx_http_core_loc_conf_t *location;
};

struct UpstreamHook {     // an `upstream` block and its balancer's own peer.init
  ngx_http_upstream_srv_conf_t *upstream;
  ngx_http_upstream_init_peer_pt init;
};

struct MainConf {
  Zone *zone = nullptr;     // hls_proxy_zone; set wherever a source has a resolver
  std::vector<std::unique_ptr<Source>> sources;
  std::vector<LinkLocation> link_locations;
  std::vector<LinkLocation> enabled_locations;   // all that have it on, be it from a level above; after merging
  std::vector<UpstreamHook> hooks;

  Source *source(std::string_view name) const;
};

struct ServerConf {
  std::vector<std::string> secrets;
  hls::LinkKeys keys;
  std::vector<std::string> api_keys;
};

enum class Auth : ngx_uint_t { token, apikey, none };

struct LocationConf {
  ngx_flag_t enable;
  ngx_http_complex_value_t *base;
  ngx_http_complex_value_t *public_base;
  ngx_http_complex_value_t *bind;
  ngx_uint_t auth;
  time_t media_ttl;
  time_t playlist_ttl;
  size_t max_playlist;
  Source *entry;
  ngx_array_t *entry_arguments;   // of EntryArgument
  ngx_flag_t refresh;             // hls_proxy_refresh
  ngx_flag_t status;              // hls_proxy_status prometheus
};

struct EntryArgument {
  ngx_uint_t index;               // into Source::key
  ngx_http_complex_value_t value;
};

MainConf &main_conf(ngx_conf_t *cf);
MainConf &main_conf(ngx_http_request_t *r);
ServerConf &server_conf(ngx_http_request_t *r);
LocationConf &location_conf(ngx_http_request_t *r);

/// `hls_proxy_source name { … }`
char *source_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

// ---- one request ---------------------------------------------------------------------------------

struct Address {
  ngx_sockaddr_t sockaddr;
  socklen_t socklen;
  ngx_str_t name;
};

struct Origin {
  enum class Lookup { none, running, done, failed } lookup = Lookup::none;
  std::vector<Address> addresses;
  ngx_resolver_ctx_t *resolver = nullptr;
};

class RewrittenResponse;
class Wait;

/// What begins anew each time a request is sent upstream.
struct Attempt {
  Origin origin;
  bool asked = false;             // the upstream was turned to: what ends in an error now is its error
  ngx_uint_t status = 0;          // of its answer; 0: none came
  ngx_uint_t refusal = 0;         // the last one of 400 or more, of this or an earlier address
  bool invalid = false;           // a 200 that is not what the link is for
  bool outdated = false;          // it was not asked: by now the URL is known to be dead
  std::string location;           // of a redirect

  hls::BodyKind body = hls::BodyKind::undecided;
  ngx_int_t (*process_header)(ngx_http_request_t *) = nullptr;   // the upstream's own, while ours stand before them
  ngx_int_t (*reinit_request)(ngx_http_request_t *) = nullptr;
  bool header_done = false;
  bool cacheable = false;         // as nginx found it, before the headers of an error had their say
  time_t valid_sec = 0;

  RewrittenResponse *response = nullptr;    // a pool object of its own
  bool unseen = false;                      // the header filter was reached before any byte of the body
  bool status_only = false;                 // the origin's body is dropped, nginx's own page takes its place
  bool refused = false;                     // what goes out now is nginx's own error page
};

/// Lives as long as the request's pool: nginx forgets its contexts on the way to @hls_refresh and back.
struct RequestContext : Attempt {
  explicit RequestContext(ngx_http_request_t *r);
  ~RequestContext();

  ngx_http_request_t *request;              // a clone's is not the main request
  hls::LinkState state = hls::LinkState::malformed;
  hls::Link link;
  Source *source = nullptr;
  std::optional<hls::Generation> generation;   // the newest one when the request came: its headers go upstream
  hls::Url url;                             // what is asked for: the link's own, or what took its place
  hls::Url target;                          // where that is, behind redirects
  std::string upstream_uri;                 // path and query of the target, foreign arguments included
  bool rebound = false;                     // url took the place of the link's own
  unsigned number = 1;                      // 2: after a refresh
  bool caught_up = false;                   // it went to a generation that was known before it came
  unsigned hops = 0;                        // redirects that were followed in this attempt
  bool again = false;                       // on its way back from @hls_refresh
  ngx_uint_t failure = 0;                   // what the client gets, should refreshing fail
  std::uint64_t failed_generation = 0;      // which the URL that died is of; 0: not known
  std::unique_ptr<Wait> wait;               // while something is waited for
  unsigned dead_on_arrival = 0;             // fresh generations that were dead, too
  unsigned leads = 0;                       // resolves that this request started
  bool detached = false;                    // a content handler has said NGX_DONE
  std::optional<ngx_http_headers_in_t> client_headers;   // before they were replaced
  bool keepalive = false;                   // before an error could clear it
  bool clone = false;                       // of a slice or a background update: only watched, never rewritten
};

/// The context that a request has had before nginx forgot it, or null.
RequestContext *carried_context(ngx_http_request_t *r);

/// A context for a clone of a link request that is about to go upstream, or null.
RequestContext *clone_context(ngx_http_request_t *r);

/// The request's own context, or null.
RequestContext *own_context(ngx_http_request_t *r);
/// Also for slices and background updates of a link request: they skip our phase and use its link.
RequestContext *link_context(ngx_http_request_t *r);

/// `hls_proxy_base` and `hls_proxy_public_base` of this request; base's own path apart.
struct Base {
  std::string text;               // as links begin
  std::string absolute;           // the same with scheme and host
  std::string path;               // what is a path in it
};
/// False: what they evaluate to is no part of a URL.
bool request_base(ngx_http_request_t *r, Base &base);

/// The scope of what is linked from `link` (an entry: exp is 0, key null).
bool make_scope(ngx_http_request_t *r, const hls::Link &link, const Source &source, hls::LinkScope &scope);

// ---- roles ---------------------------------------------------------------------------------------

ngx_int_t link_phase(ngx_http_request_t *r);
/// Precontent: the client's headers go only now, since auth_request needs them.
ngx_int_t header_phase(ngx_http_request_t *r);
ngx_int_t entry_handler(ngx_http_request_t *r);
ngx_int_t refresh_handler(ngx_http_request_t *r);
ngx_int_t status_handler(ngx_http_request_t *r);

/// What an OPTIONS, or a method that is neither GET nor HEAD, gets; NGX_DECLINED for those two.
ngx_int_t check_method(ngx_http_request_t *r);

// ---- dead URLs -----------------------------------------------------------------------------------

/// What is asked for from here on, and behind a redirect.
void aim(RequestContext &ctx, const hls::Url &url);
void redirect(RequestContext &ctx, const hls::Url &target);
/// Where the redirect number `hops` leads. Null, or why it is not followed: a literal.
const char *redirect_target(const Source &source, const hls::Url &from, std::string_view location, unsigned hops,
                            hls::Url &target);

struct Resolution {
  enum class State { ready, waiting, failed } state = State::failed;
  hls::Generation generation;   // of ready
  ngx_uint_t failure = 0;       // of failed: 404, 502 or 504; 0: too early for another resolve
};

/// A generation of the stream with a number above `newer_than`; 0: any that is fresh. `status`: what a link died
/// of, 0: none did. Waiting: the resolver is being asked, and a Wait for the stream is woken; `wait`: the one that
/// the request is in already, or null. `leads` counts how often this request was the one to ask.
Resolution resolve(ngx_http_request_t *r, const Source &source, const hls::Link &link, std::uint64_t newer_than,
                   ngx_uint_t status, const Wait *wait, unsigned &leads);
/// Resolves in the background where `refresh_before` says so.
void renew_if_due(ngx_http_request_t *r, const Source &source, const hls::Link &link,
                  const hls::Generation &generation);

struct Rebinding;
/// From here on the request is for what was found.
void take_successor(ngx_http_request_t *r, RequestContext &ctx, const Rebinding &found);

/// The URL that was found works.
void note_success(ngx_http_request_t *r, RequestContext &ctx);
/// A URL died whose request has no way to @hls_refresh: resolves in the background.
void refresh_for_others(ngx_http_request_t *r, RequestContext &ctx);

/// A stream's key, "channel=news lang=en".
std::string key_text(const Source &source, const hls::StreamKey &key);
/// The stream for a log line: source and key.
std::string stream_name(const Source &source, const hls::StreamKey &key);

inline bool in_hosts(const Source &source, const hls::Url &url) {
  return source.hosts.empty() || source.hosts.match(url.host(), url.port());
}

inline bool is_redirect(ngx_uint_t status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// ---- one request, go on --------------------------------------------------------------------------

/// Replaces the client's headers by those that may go upstream.
bool replace_request_headers(ngx_http_request_t *r, RequestContext &ctx);
/// Calls f for each header that belongs to the stream until it says false; returns that.
bool each_stream_header(const RequestContext &ctx,
                        const std::function<bool(std::string_view name, std::string_view value)> &f);

/// NGX_DECLINED: done or failed, go on; NGX_AGAIN: the phases go on when the answer is there.
ngx_int_t origin_lookup(ngx_http_request_t *r, RequestContext &ctx);

ngx_int_t origin_add_upstream(ngx_conf_t *cf);
/// Makes every `upstream` block's peer.init call watch_response() for link requests.
ngx_int_t origin_hook_upstreams(ngx_conf_t *cf);
/// Puts a look at the first body bytes behind the upstream's process_header.
void watch_response(ngx_http_request_t *r, RequestContext &ctx);
/// The same for bytes that are at hand. `coding`: the value of Content-Encoding. Nothing: it does not decode.
std::optional<hls::BodyKind> sniff_body(std::string_view bytes, bool chunked, std::string_view coding, bool complete);
/// All Content-Encoding values of a header list, joined.
std::string content_coding(const ngx_list_t &headers);

void clean_response_headers(ngx_http_request_t *r, const RequestContext &ctx);
bool add_header(ngx_http_request_t *r, std::string_view name, std::string_view value);
void add_cors_headers(ngx_http_request_t *r);
/// Adds a Location that is the link of an origin's. False: none could be made.
bool link_redirect(ngx_http_request_t *r, const RequestContext &ctx, std::string_view location);

ngx_int_t add_variables(ngx_conf_t *cf);
ngx_int_t install_filters(ngx_conf_t *cf);
ngx_int_t next_header(ngx_http_request_t *r);
ngx_int_t next_body(ngx_http_request_t *r, ngx_chain_t *in);
/// Answers 502 with `text` in place of a response whose header has not gone out, and logs it. Returns what
/// ends the upstream's transfer, however much of it is still to come.
ngx_int_t send_refusal(ngx_http_request_t *r, const std::string &text);

/// Log lines of this request from here on show its path, not its query, and no upstream URI.
void hide_arguments_in_log(ngx_http_request_t *r);
/// Does so, as early as can be, for requests with a signature.
ngx_int_t log_phase(ngx_http_request_t *r);

// ---- helpers -------------------------------------------------------------------------------------

inline std::string_view view(const ngx_str_t &s) { return {reinterpret_cast<char *>(s.data), s.len}; }

/// Header names, in any case.
inline bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         ngx_strncasecmp(reinterpret_cast<u_char *>(const_cast<char *>(a.data())),
                         reinterpret_cast<u_char *>(const_cast<char *>(b.data())), a.size()) == 0;
}

/// Calls f(ngx_table_elt_t &) for every header of a list that was not taken out.
template <class F>
void each_header(const ngx_list_t &headers, F f) {
  for (const ngx_list_part_t *part = &headers.part; part; part = part->next) {
    auto *h = static_cast<ngx_table_elt_t *>(part->elts);
    for (ngx_uint_t i = 0; i < part->nelts; ++i) {
      if (h[i].hash) f(h[i]);
    }
  }
}

/// The first header of that name, or null.
inline ngx_table_elt_t *find_header(const ngx_list_t &headers, std::string_view name) {
  ngx_table_elt_t *found = nullptr;
  each_header(headers, [&](ngx_table_elt_t &h) {
    if (found == nullptr && same_name(view(h.key), name)) found = &h;
  });
  return found;
}

/// Its value; empty where there is none.
inline std::string_view header_value(const ngx_list_t &headers, std::string_view name) {
  const ngx_table_elt_t *header = find_header(headers, name);
  return header ? view(header->value) : std::string_view();
}

/// A copy in the pool; data is null where there was no memory.
inline ngx_str_t pool_string(ngx_pool_t *pool, std::string_view text) {
  ngx_str_t s;
  s.len = text.size();
  s.data = static_cast<u_char *>(ngx_pnalloc(pool, text.size() + 1));
  if (s.data) ngx_memcpy(s.data, text.data(), text.size());
  if (s.data) s.data[s.len] = '\0';
  return s;
}

template <class T>
void destroy_in_pool(void *value) {
  static_cast<T *>(value)->~T();
}

/// A C++ value that lives as long as the pool; null where there was no memory.
template <class T, class... Arguments>
T *pool_new(ngx_pool_t *pool, Arguments &&...arguments) {
  ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(pool, sizeof(T));
  if (cleanup == nullptr) return nullptr;
  T *value = new (cleanup->data) T(std::forward<Arguments>(arguments)...);
  cleanup->handler = destroy_in_pool<T>;
  return value;
}

/// The first pool_new<T> of the pool that `f` takes, or null: it outlives nginx's module contexts.
template <class T, class F>
T *find_in_pool(ngx_pool_t *pool, F f) {
  for (ngx_pool_cleanup_t *c = pool->cleanup; c; c = c->next) {
    if (c->handler == destroy_in_pool<T> && f(*static_cast<T *>(c->data))) return static_cast<T *>(c->data);
  }
  return nullptr;
}

/// Runs `f` for nginx: an exception (there is only bad_alloc) becomes `failed`.
template <class F, class R>
R guarded(R failed, F &&f) noexcept {
  try {
    return f();
  } catch (...) {
    return failed;
  }
}

/// The same for directives, whose success is NULL.
template <class F>
char *guarded_conf(F &&f) noexcept {
  return guarded(static_cast<char *>(NGX_CONF_ERROR), [&]() -> char * { return f(); });
}

/// What UrlTemplate::expand() asks for.
inline auto key_values(const hls::StreamKey &key) {
  return [&key](size_t i) { return key.values[i] ? std::string_view(*key.values[i]) : std::string_view(); };
}

bool evaluate(ngx_http_request_t *r, ngx_http_complex_value_t *value, std::string &to);

}  // namespace hls_proxy

#endif
