// Attribute lists of tags (RFC 8216bis 4.2), read the way that players read them.

#ifndef HLS_ATTRIBUTE_LIST_H
#define HLS_ATTRIBUTE_LIST_H

#include <string_view>

namespace hls {

/// One NAME=VALUE; the views point into the text that was given.
struct Attribute {
  std::string_view name;
  std::string_view value;      // without its quotes
  bool quoted = false;
  bool unterminated = false;   // the closing quote is missing: the value ends with the line
};

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view trim_blanks(std::string_view text);

/// Visits every attribute from left to right, duplicates too. What RFC 8216bis forbids and players still
/// accept is accepted: blanks around name, '=', value and comma; a missing comma after a closing quote or
/// a blank (ffmpeg goes on at the next name there). Only '"' quotes, nothing escapes it.
class AttributeList {
public:
  explicit AttributeList(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  /// False at the end of the list; `attribute` is undefined then.
  bool next(Attribute &attribute);

private:
  bool next_name(std::string_view &name);
  void read_value(Attribute &attribute);

  const char *at_;
  const char *end_;
};

}  // namespace hls

#endif
