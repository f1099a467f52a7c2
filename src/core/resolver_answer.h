// What a resolver says: where a stream is now (any service behind an internal location can be one).

#ifndef HLS_RESOLVER_ANSWER_H
#define HLS_RESOLVER_ANSWER_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "url.h"

namespace hls {

struct UpstreamHeader {
  std::string name, value;

  bool operator==(const UpstreamHeader &o) const { return name == o.name && value == o.value; }
};

struct ResolverAnswer {
  Url url;
  std::vector<UpstreamHeader> headers;   // go along with every upstream request of the stream
  std::uint64_t expires = 0;             // seconds since the epoch; 0: nobody says
  std::string provider;                  // may be empty
};

enum class AnswerError : std::uint8_t {
  none,
  too_large,        // over kMaxAnswer
  wrong_type,       // neither JSON nor text/plain
  bad_json,         // not a JSON object, or a member of another type than it must have
  no_url,
  bad_url,          // not an absolute http(s) URL, or longer than a link can carry
  bad_header,       // a name that is no token, a value with control characters, too many or too long, twice
  header_refused,   // one that only the relay itself may send
  bad_expires,      // not a unix time near now
  bad_provider,
};

/// One sentence for logs: nothing of the answer itself, which holds tokens.
const char *describe(AnswerError error);

constexpr std::size_t kMaxAnswer = 65536;
constexpr std::size_t kMaxUpstreamHeaders = 32;
constexpr std::size_t kMaxUpstreamHeaderValue = 4096;
constexpr std::size_t kMaxProviderName = 64;

/// The body of a 200, in either form:
///   JSON (application/json, text/json, …+json):
///     {"url": "…", "headers": {"Name": "value"}, "expires": 1800000000, "provider": "…"}
///     All but url may be absent or null; other members are ignored. `expires` is seconds or milliseconds
///     since the epoch, a number or digits in a string; 0: not known.
///   text/plain: the first line is the URL.
/// Without `expires` url_expiry() says. `now` is seconds since the epoch. `answer` is set for none only.
///
/// Refused headers: Host, Range and the conditions (If-*), the hop-by-hop ones (RFC 9110 7.6.1:
/// Connection, Keep-Alive, TE, Trailer, Transfer-Encoding, Upgrade, Proxy-*), what describes a body
/// (Content-Length and all Content-*), Expect, X-Accel-*. Accept-Encoding is left out without an error,
/// since tools that list a browser's headers name it: codings are the relay's to negotiate.
AnswerError parse_resolver_answer(std::string_view content_type, std::string_view body, std::uint64_t now,
                                  ResolverAnswer &answer);

/// When a URL says that it dies, in seconds since the epoch: the arguments that CDNs use (e, exp, expires,
/// t, …; Akamai's "exp=…" inside a token), where the value is a unix time after now, up to ten years, in
/// seconds or milliseconds. Of several the earliest. 0: it does not say.
std::uint64_t url_expiry(const Url &url, std::uint64_t now);

}  // namespace hls

#endif
