// Absolute http(s) URLs and RFC 3986 reference resolution.

#ifndef HLS_URL_H
#define HLS_URL_H

#include <cstdint>
#include <string>
#include <string_view>

namespace hls {

/// An absolute http or https URL in the form that goes upstream: scheme and host in lower case
/// (RFC 3986 6.2.2.1), no fragment, dot segments removed, every byte that no request line may hold
/// escaped as %XX; all else byte for byte. The parts are views into one string that is reused, so
/// assigning to the same Url again allocates nothing once it has grown.
class Url {
public:
  bool https() const { return https_; }
  std::string_view text() const { return text_; }             // the whole URL
  std::string_view authority() const { return part(authority_, directory_); }  // [user@]host[:port]
  std::string_view directory() const { return part(directory_, name_); }       // "/a/b/": to the last '/'
  std::string_view name() const { return part(name_, query_); }                // after it; may be empty
  bool has_query() const { return query_ < text_.size(); }
  /// Without the '?'.
  std::string_view query() const {
    return has_query() ? std::string_view(text_).substr(query_ + 1) : std::string_view();
  }
  std::string_view path_and_query() const { return std::string_view(text_).substr(directory_); }
  bool empty() const { return text_.empty(); }

  /// host[:port] as the Host header wants it: the authority without user information.
  std::string_view host_and_port() const;
  /// The host alone: an IPv6 literal without its brackets, a name without the dot that may end it.
  std::string_view host() const;
  /// The port, or the scheme's default.
  std::uint16_t port() const;
  /// "user:password", still percent-encoded; empty where there is none.
  std::string_view user_info() const;

  /// Puts a URL together from parts that were taken from one before (a link's record). False where
  /// the parts cannot be those of a Url as described above: a bad authority, a directory that does
  /// not begin and end with '/', a name with a '/', a control character or space anywhere.
  bool assign(bool https, std::string_view authority, std::string_view directory,
              std::string_view name, bool has_query, std::string_view query);

private:
  friend struct UrlWriter;   // of url.cpp

  std::string_view part(std::uint32_t from, std::uint32_t to) const {
    return std::string_view(text_).substr(from, to - from);
  }

  std::string text_;
  bool https_ = false;
  std::uint32_t authority_ = 0;   // offsets into text_
  std::uint32_t directory_ = 0;
  std::uint32_t name_ = 0;
  std::uint32_t query_ = 0;       // of the '?', or text_.size()
};

enum class Reference {
  http,       // `out` holds the absolute URL
  other,      // another scheme (data:, skd:, urn:, t:u.ts …): nothing to fetch over HTTP
  same_document,  // empty, or a fragment only (RFC 3986 4.4)
  unusable,   // http or https, yet nothing that can be requested: no host, a bad host or port, NUL, CR, LF
};

/// RFC 3986 5.2.2 with the WHATWG's escaping of what players really write (spaces, '|', non-ASCII).
/// `ref` has no surrounding blanks. `out` must not be `base`; for all but Reference::http it is empty.
Reference resolve_reference(const Url &base, std::string_view ref, Url &out);

/// An absolute http(s) URL; false, and `out` empty, for anything else.
bool parse_url(std::string_view text, Url &out);

}  // namespace hls

#endif
