// Percent-encoding (RFC 3986 2.1) and query arguments.

#ifndef HLS_PERCENT_H
#define HLS_PERCENT_H

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hls {

/// Everything but unreserved characters becomes %XX.
std::string percent_encode(std::string_view text);
/// As Python's quote_plus / application/x-www-form-urlencoded: unreserved kept, space is '+'.
std::string form_encode(std::string_view text);
/// %XX decoded; a '%' without two hex digits stays. `plus`: '+' is a space (form encoding).
std::string percent_decode(std::string_view text, bool plus);

struct QueryArgument {
  std::string_view name, value;   // raw, as in the query
  bool has_value;                 // there was a '='
};
/// Splits a raw query at '&'; empty pieces are left out.
std::vector<QueryArgument> split_query(std::string_view query);

}  // namespace hls

#endif
