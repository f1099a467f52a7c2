// Values of source blocks with $name in them: `url https://origin.example/$slug/$s/$e.m3u8`.

#ifndef HLS_URL_TEMPLATE_H
#define HLS_URL_TEMPLATE_H

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hls {

class UrlTemplate {
public:
  /// `$name` and `${name}` ([A-Za-z0-9_]+) are looked up in `names`; any other '$' is an error, which
  /// `reason` explains with the name and the known ones. "$$" is a plain '$'. Control characters are
  /// refused, so that no configured header breaks a request. After a failure the template is empty.
  bool parse(std::string_view text, const std::vector<std::string> &names, std::string &reason);

  /// `value(i)`: the value of names[i]. `encode`: percent-encode the values (in a URL), or not (in a
  /// header). The values come from requests, so nullopt (400) for what cannot be made harmless: in a URL
  /// a value that makes a path segment "." or ".." (RFC 3986 5.2.4; encoded dots are dots to many
  /// servers), in a header a value with control characters (RFC 9110 5.5).
  std::optional<std::string> expand(const std::function<std::string_view(std::size_t)> &value,
                                    bool encode) const;

  /// There is no $name in it: expand() never calls `value`.
  bool constant() const;

private:
  struct Piece {
    std::string literal;
    int name;            // -1: the literal
  };
  std::vector<Piece> pieces_;
};

}  // namespace hls

#endif
