// Playlist variables: EXT-X-DEFINE (RFC 8216bis 4.3 and 4.4.2.3).

#ifndef HLS_VARIABLES_H
#define HLS_VARIABLES_H

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace hls {

enum class Expansion {
  ok,
  unknown_variable,
  too_long,
};

/// The attributes of an EXT-X-DEFINE (4.4.2.3); the views point into its list.
struct Definition {
  std::optional<std::string_view> name, value, import, query_parameter;
  bool ambiguous = false;   // one of them twice, or several to go by: players differ in what counts
};

/// The variables of one playlist: few and small, so that they fit the links of its children.
class Variables {
public:
  /// 4.4.2.3: one or more of [a-zA-Z0-9_-].
  static bool is_name(std::string_view text);

  /// Whether `text` may hold a reference, "{$name}".
  static bool in(std::string_view text) { return text.find("{$") != text.npos; }

  /// A name defined before gets the new value. False, with nothing changed: encode() would be longer
  /// than LinkWriter::kMaxVariables.
  bool define(std::string_view name, std::string_view value);

  /// An ambiguous one comes without attributes, and no name in it is defined any longer: what a player makes
  /// of it is not known.
  Definition read_definition(std::string_view list);

  /// Null: not defined.
  const std::string *find(std::string_view name) const;

  bool empty() const { return values_.empty(); }

  /// Appends `text` to `to` with every "{$name}" replaced, once, from left to right: a value is not
  /// searched again, and a '{$' that begins no reference is text. `limit` bounds what is appended.
  Expansion expand(std::string_view text, std::size_t limit, std::string &to) const;

  /// base64url of length-prefixed names and values in the order of the names; empty for none.
  std::string encode() const;

  /// The reverse of encode(); false, with no variables, for anything that it would not have written.
  bool decode(std::string_view text);

private:
  void forget(std::string_view name);
  bool decode_bytes(std::string_view bytes);

  std::map<std::string, std::string, std::less<>> values_;
  std::size_t size_ = 0;   // of the encoded bytes, before base64url
};

}  // namespace hls

#endif
